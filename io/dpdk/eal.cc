// SPDX-License-Identifier: Apache-2.0
#include "io/dpdk/eal.h"

#include <fcntl.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "io/io_error.h"

namespace millrace::io {

// EalLog is where DPDK writes its lines, whichever thread they come from: the last one is
// kept, for it says what went wrong, and outside of set-up they go to the oldest target.
class EalLog {
 public:
  static EalLog& get() {
    static EalLog log;
    return log;
  }
  void add_target(const EalLogTarget* target) {
    const std::lock_guard lock(mutex_);
    targets_.push_back(target);
  }
  // Under the lock that lines are forwarded under: none is under way when it returns.
  void remove_target(const EalLogTarget* target) {
    const std::lock_guard lock(mutex_);
    std::erase(targets_, target);
  }
  void begin_set_up() {
    const std::lock_guard lock(mutex_);
    line_.clear();
    ++setting_up_;
  }
  void end_set_up() {
    last_line();
    const std::lock_guard lock(mutex_);
    --setting_up_;
  }
  std::string last_line() {
    if (stream_ != nullptr) std::fflush(stream_);
    const std::lock_guard lock(mutex_);
    return line_;
  }

 private:
  EalLog() : stream_(fopencookie(this, "w", {nullptr, &EalLog::write, nullptr, nullptr})) {
    if (stream_ == nullptr) return;
    setvbuf(stream_, nullptr, _IOLBF, 0);
    rte_openlog_stream(stream_);
  }
  static ssize_t write(void* self, const char* text, std::size_t length) {
    static_cast<EalLog*>(self)->add({text, length});
    return static_cast<ssize_t>(length);
  }
  void add(std::string_view text) {
    const std::lock_guard lock(mutex_);
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (end > 0) {
        line_ = text.substr(0, end);
        if (setting_up_ == 0 && !targets_.empty()) targets_.front()->log_("dpdk: " + line_);
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  std::mutex mutex_;
  std::FILE* const stream_;  // Open as long as the process: other threads may be writing.
  std::string line_;
  std::vector<const EalLogTarget*> targets_;
  unsigned setting_up_ = 0;  // Stretches of it, of several threads.
};

namespace {

constexpr std::size_t kDefaultMemoryMb = 256;

std::mutex g_eal_mutex;
bool g_running = false;
bool g_has_cards = false;  // What EAL was started with says whether it looks at cards at all.

// Devices come and go one at a time: DPDK's lists of them have no lock.
std::mutex g_devices;

// Whom the ports of this process belong to that are open.
const rte_eth_dev_owner& our_owner() {
  static const rte_eth_dev_owner owner = [] {
    rte_eth_dev_owner made{.id = RTE_ETH_DEV_NO_OWNER, .name = "millrace"};
    rte_eth_dev_owner_new(&made.id);
    return made;
  }();
  return owner;
}

// Under the lock.
Result<ClaimedPort, IoError> attach(const std::string& device) {
  const std::string name = device.substr(0, device.find(','));
  ClaimedPort port;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port.id) == 0) return ClaimedPort{port};
  const EalSetUp set_up;
  if (rte_dev_probe(device.c_str()) != 0) {
    const std::string line = set_up.last_line();
    std::string why = line.empty() ? "no such driver, or it refuses its arguments" : line;
    if (is_card(device)) {
      why = "no such device, or not bound to a driver that DPDK can use (see `scripts/dpdk-setup`)";
    }
    return Failure(IoError{"dpdk: " + name + ": " + why, ENODEV});
  }
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port.id) != 0) {
    return Failure(IoError{"dpdk: " + name +
                               ": is no network device, or its driver has not let go of it since "
                               "it was closed",
                           ENODEV});
  }
  port.attached = true;
  return ClaimedPort{port};
}

// Processors this process may use: EAL's one thread of its own is bound to none of them.
std::string allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return "0";
  std::string list;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set))
      list += (list.empty() ? "" : ",") + std::to_string(cpu);
  }
  return list;
}

std::vector<std::string> eal_arguments(const EalOptions& options) {
  std::vector<std::string> arguments = {
      "millrace",
      "--no-telemetry",
      "--lcores=0@(" + allowed_processors() + ")",
      "--file-prefix=millrace" + std::to_string(getpid()),
      "--log-level=lib.*:error",
      "--log-level=pmd.*:error",
  };
  if (options.huge_pages) {
    // Nothing in the file system, so nothing stays behind.
    arguments.emplace_back("--in-memory");
  } else {
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf"});
  }
  const std::size_t memory =
      options.memory_mb == 0 && !options.huge_pages ? kDefaultMemoryMb : options.memory_mb;
  if (memory > 0) arguments.insert(arguments.end(), {"-m", std::to_string(memory)});
  if (options.devices.empty()) arguments.emplace_back("--no-pci");
  for (const std::string& device : options.devices) {
    arguments.insert(arguments.end(), {"-a", device});
  }
  arguments.insert(arguments.end(), options.extra.begin(), options.extra.end());
  return arguments;
}

// Free huge pages of any size, as the kernel tells.
bool has_free_huge_pages() {
  for (const char* size : {"2048", "1048576"}) {
    const std::string path =
        std::string("/sys/kernel/mm/hugepages/hugepages-") + size + "kB/free_hugepages";
    std::FILE* const file = std::fopen(path.c_str(), "r");
    if (file == nullptr) continue;
    unsigned long pages = 0;
    const bool any = std::fscanf(file, "%lu", &pages) == 1 && pages > 0;
    std::fclose(file);
    if (any) return true;
  }
  return false;
}

// OutputCapture holds back what is printed: EAL complains of arguments on stderr, in several
// lines and with all it would have taken on stdout.
class OutputCapture {
 public:
  OutputCapture() : file_(memfd_create("eal", MFD_CLOEXEC)) {
    std::fflush(nullptr);
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      const int fd = static_cast<int>(i) + 1;
      saved_[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
      if (saved_[i] >= 0 && file_ >= 0) dup2(file_, fd);
    }
  }
  ~OutputCapture() {
    end();
    if (file_ >= 0) close(file_);
  }
  OutputCapture(const OutputCapture&) = delete;
  OutputCapture& operator=(const OutputCapture&) = delete;

  // Lets output go its way again; returns what was held back.
  std::string end() {
    std::fflush(nullptr);
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      if (saved_[i] < 0) continue;
      dup2(saved_[i], static_cast<int>(i) + 1);
      close(std::exchange(saved_[i], -1));
    }
    std::string text(kMostText, '\0');
    const ssize_t length = pread(file_, text.data(), text.size(), 0);
    text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return text;
  }

 private:
  static constexpr std::size_t kMostText = 4096;
  const int file_;
  std::array<int, 2> saved_{-1, -1};  // stdout, stderr.
};

// What getopt says of an argument it does not know: "NAME: unrecognized option '--x'".
std::string first_complaint(const std::string& text) {
  const std::string line = text.substr(0, text.find('\n'));
  const std::size_t colon = line.find(": ");
  const bool tells = line.find("option") != std::string::npos && colon != std::string::npos;
  return tells ? line.substr(colon + 2) : std::string();
}

std::optional<IoError> initialise(const EalOptions& options) {
  std::vector<std::string> arguments = eal_arguments(options);
  std::vector<char*> pointers;
  pointers.reserve(arguments.size());
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  const EalSetUp set_up;
  OutputCapture output;
  int result = 0;
  int code = 0;
  // EAL binds the calling thread to its processors and keeps it as its own.
  std::thread([&] {
    result = rte_eal_init(static_cast<int>(pointers.size()), pointers.data());
    code = rte_errno;
  }).join();
  const std::string printed = output.end();
  if (result >= 0) {
    std::fwrite(printed.data(), 1, printed.size(), stderr);
    return std::nullopt;
  }
  std::string line = first_complaint(printed);
  if (line.empty()) line = set_up.last_line();
  return line.empty() ? io_error("dpdk: EAL", code) : IoError{"dpdk: " + line, code};
}

// Ends what DPDK knows of a thread together with it.
class ThreadRegistration {
 public:
  ThreadRegistration() : registered_(rte_thread_register() == 0) {}
  ~ThreadRegistration() {
    if (registered_) rte_thread_unregister();
  }
  ThreadRegistration(const ThreadRegistration&) = delete;
  ThreadRegistration& operator=(const ThreadRegistration&) = delete;
  bool registered() const { return registered_; }

 private:
  const bool registered_;
};

}  // namespace

std::optional<IoError> start_eal(const EalOptions& options) {
  const std::lock_guard lock(g_eal_mutex);
  if (g_running) {
    for (const std::string& device : options.devices) {
      const auto port = attach_device(device);
      if (port.ok()) continue;
      if (g_has_cards) return port.error();
      return IoError{"dpdk: " + device + ": state every card before the first is used", 0};
    }
    return std::nullopt;
  }
  if (options.huge_pages && !has_free_huge_pages()) {
    return IoError{
        "dpdk: no free huge pages; `scripts/dpdk-setup --huge-pages 1024` makes some, or do "
        "without (--dpdk-huge-pages off)",
        ENOMEM};
  }
  if (std::optional<IoError> error = initialise(options)) return error;
  // Made for each process by its number, and empty: nothing is shared. It would stay for ever.
  rmdir(rte_eal_get_runtime_dir());
  g_running = true;
  g_has_cards = !options.devices.empty();
  return std::nullopt;
}

EalLogTarget::EalLogTarget(Log log) : log_(std::move(log)) {
  if (log_) EalLog::get().add_target(this);
}
EalLogTarget::~EalLogTarget() { EalLog::get().remove_target(this); }

EalSetUp::EalSetUp() { EalLog::get().begin_set_up(); }
EalSetUp::~EalSetUp() { EalLog::get().end_set_up(); }
std::string EalSetUp::last_line() const { return EalLog::get().last_line(); }

bool is_card(const std::string& device) {
  const std::string name = device.substr(0, device.find(','));
  const auto is_part_of_address = [](unsigned char c) {
    return std::isxdigit(c) != 0 || c == ':' || c == '.';
  };
  return name.find(':') != std::string::npos &&
         std::all_of(name.begin(), name.end(), is_part_of_address);
}

Result<std::uint16_t, IoError> attach_device(const std::string& device) {
  const std::lock_guard lock(g_devices);
  const auto port = attach(device);
  if (!port.ok()) return Failure(port.error());
  return std::uint16_t{port.value().id};
}

Result<ClaimedPort, IoError> claim_device(const std::string& device) {
  const std::lock_guard lock(g_devices);
  const EalSetUp set_up;
  const std::string name = "dpdk: " + device.substr(0, device.find(','));
  const auto port = attach(device);
  if (!port.ok()) return Failure(port.error());
  rte_eth_dev_owner owner{};
  rte_eth_dev_owner_get(port.value().id, &owner);
  if (owner.id == our_owner().id) {
    return Failure(IoError{name + ": is open already in this process", EBUSY});
  }
  if (owner.id != RTE_ETH_DEV_NO_OWNER) {
    return Failure(IoError{name + ": is in use by " + owner.name, EBUSY});
  }
  if (const int code = rte_eth_dev_owner_set(port.value().id, &our_owner()); code != 0) {
    return Failure(io_error(name + ": owner", -code));
  }
  return ClaimedPort{port.value()};
}

void disclaim_port(std::uint16_t id) {
  const std::lock_guard lock(g_devices);
  rte_eth_dev_owner_unset(id, our_owner().id);
}

void close_port(std::uint16_t id, const RunTask& run) {
  const std::lock_guard lock(g_devices);
  run([id] {
    rte_eth_dev_info info{};
    const bool known = rte_eth_dev_info_get(id, &info) == 0;
    rte_eth_dev_close(id);
    // A closed port is gone for good, so its card must be attached anew; unless it has others.
    if (known && rte_eth_find_next_of(0, info.device) == RTE_MAX_ETHPORTS) {
      rte_dev_remove(info.device);
    }
  });
}

bool register_eal_thread() {
  thread_local const ThreadRegistration registration;
  return registration.registered();
}

}  // namespace millrace::io
