// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace millrace {

// SlabMemory gives out places of one size, cut from slabs that double up to a huge page's size.
// A slab's pages come into being together, or as one huge page, and not by a fault each. It
// grows when it is empty and keeps what it has: the most that was ever in use. One thread.
class SlabMemory {
 public:
  static constexpr std::size_t kFirstSlabBytes = 32u << 10;
  static constexpr std::size_t kLargestSlabBytes = 2u << 20;

  // `bytes` a place, at most a slab; `alignment` of a power of two, at most a page.
  SlabMemory(std::size_t bytes, std::size_t alignment);
  ~SlabMemory();
  SlabMemory(const SlabMemory&) = delete;
  SlabMemory& operator=(const SlabMemory&) = delete;

  // Makes sure that `n` more can be taken without a slab.
  void reserve(std::size_t n);
  void* take();
  void give_back(void* place);

  std::size_t in_use() const { return places_ - free_.size(); }
  std::size_t places() const { return places_; }

 private:
  struct Free {
    void operator()(void* slab) const { std::free(slab); }
  };
  void grow();

  std::size_t place_bytes_;
  std::size_t slab_bytes_ = kFirstSlabBytes;
  std::size_t places_ = 0;
  std::vector<std::unique_ptr<void, Free>> slabs_;
  std::vector<void*> free_;
};

// SlabPool makes objects of one type in SlabMemory. It must outlive what it made.
template <class T>
class SlabPool {
 public:
  struct Release {
    SlabMemory* memory = nullptr;
    void operator()(T* object) const {
      object->~T();
      memory->give_back(object);
    }
  };
  using Ptr = std::unique_ptr<T, Release>;

  template <class... Args>
  Ptr make(Args&&... args) {
    return Ptr(new (memory_.take()) T(std::forward<Args>(args)...), Release{&memory_});
  }
  // Makes sure that `n` more can be made without a slab.
  void reserve(std::size_t n) { memory_.reserve(n); }
  std::size_t in_use() const { return memory_.in_use(); }

 private:
  SlabMemory memory_{sizeof(T), alignof(T)};
};

}  // namespace millrace
