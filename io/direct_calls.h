// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// The calls that take and give lone datagrams, past glibc's wrappers: those are points at which a
// thread may be cancelled, for which they pay two locked instructions as soon as a process has a
// second thread, and this program cancels none. Results and errno are the wrappers'. Sanitizers
// look on in the wrappers, and keep them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MILLRACE_WRAPPED_CALLS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MILLRACE_WRAPPED_CALLS 1
#endif
#endif

namespace millrace::io {

inline ssize_t receive_message(int fd, msghdr& header, int flags) {
#ifdef MILLRACE_WRAPPED_CALLS
  return recvmsg(fd, &header, flags);
#else
  return syscall(SYS_recvmsg, fd, &header, flags);
#endif
}

inline ssize_t send_message(int fd, const msghdr& header, int flags) {
#ifdef MILLRACE_WRAPPED_CALLS
  return sendmsg(fd, &header, flags);
#else
  return syscall(SYS_sendmsg, fd, &header, flags);
#endif
}

inline ssize_t send_to(int fd, const void* data, std::size_t bytes, int flags, const sockaddr& to,
                       socklen_t to_bytes) {
#ifdef MILLRACE_WRAPPED_CALLS
  return sendto(fd, data, bytes, flags, &to, to_bytes);
#else
  return syscall(SYS_sendto, fd, data, bytes, flags, &to, to_bytes);
#endif
}

}  // namespace millrace::io
