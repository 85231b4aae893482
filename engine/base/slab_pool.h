// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace millrace {

// SlabMemory gives out places of one size, cut from slabs that double up to a huge page's size.
// A slab's pages come into being together, or as one huge page, and not by a fault each. Beyond
// kKeptBytes the kernel has the pages of slabs back in which no place is in use, as long as they
// are more than half of all: what was given back is needed again only when use has doubled. The
// addresses stay. All but the making of a slab is O(1). One thread.
class SlabMemory {
 public:
  static constexpr std::size_t kFirstSlabBytes = 32u << 10;
  static constexpr std::size_t kLargestSlabBytes = 2u << 20;
  static constexpr std::size_t kKeptBytes = kLargestSlabBytes;

  struct Slab;
  struct Place {
    void* at = nullptr;
    Slab* slab = nullptr;
  };

  // `bytes` a place, at most a slab; `alignment` of a power of two, at most a page.
  SlabMemory(std::size_t bytes, std::size_t alignment);
  ~SlabMemory();
  SlabMemory(const SlabMemory&) = delete;
  SlabMemory& operator=(const SlabMemory&) = delete;

  // Makes sure that `n` more than are in use can be taken without a slab, from here on.
  void reserve(std::size_t n);
  Place take();
  // What `take` gave. Its slab knows whose it is.
  static void give_back(const Place& place);

  std::size_t in_use() const { return in_use_; }
  // Those that have memory.
  std::size_t places() const { return places_; }

 private:
  // A doubly linked list. A slab that is full is in none.
  struct List {
    Slab* first = nullptr;
    void push(Slab& slab);
    void remove(Slab& slab);
  };

  Slab* provide();
  Slab* populate();
  void make_slab();
  void note_empty(Slab& slab);
  void release(Slab& slab);

  const std::size_t place_bytes_;
  std::size_t slab_bytes_ = kFirstSlabBytes;
  std::size_t places_ = 0;
  std::size_t in_use_ = 0;
  std::size_t empty_places_ = 0;  // Of the slabs in `empty_`.
  std::size_t reserved_ = 0;      // That many keep their memory.
  std::vector<std::unique_ptr<Slab>> slabs_;
  List partial_;   // Some places are in use.
  List empty_;     // None is.
  List released_;  // None is, and the kernel has the pages.
};

// SlabPool makes objects of one type in SlabMemory. It must outlive what it made.
template <class T>
class SlabPool {
 public:
  struct Release {
    SlabMemory::Slab* slab = nullptr;
    void operator()(T* object) const {
      object->~T();
      SlabMemory::give_back({object, slab});
    }
  };
  using Ptr = std::unique_ptr<T, Release>;

  template <class... Args>
  Ptr make(Args&&... args) {
    const SlabMemory::Place place = memory_.take();
    return Ptr(new (place.at) T(std::forward<Args>(args)...), Release{place.slab});
  }
  // Makes sure that `n` more than there are can be made without a slab, from here on.
  void reserve(std::size_t n) { memory_.reserve(n); }
  std::size_t in_use() const { return memory_.in_use(); }

 private:
  SlabMemory memory_{sizeof(T), alignof(T)};
};

}  // namespace millrace
