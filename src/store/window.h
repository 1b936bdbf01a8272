// The idempotency window: which ids the latest `capacity` records had, and at which sequence.
// Memory grows with what is held, up to about 30 bytes a record, and no further.
//
// A ring holds the hash of every record in the window, by sequence; an open-addressing table
// (linear probing, 24 bits of hash and 40 of ring position a slot) finds them. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "store/segment.h"

namespace vitrine {

class IdWindow {
 public:
  explicit IdWindow(std::uint64_t capacity);

  // Hints that `id` is looked for or added soon.
  void prefetch(const IdHash& id) const { __builtin_prefetch(&slots_[id.low & mask_]); }
  // The sequence of a record in the window with this id; 0 when there is none, or no id.
  std::uint64_t find(const IdHash& id) const;
  // The ids of records first, first + 1, ... behind everything added before, maybe with a gap; the
  // oldest fall out.
  void add(std::uint64_t first_sequence, std::span<const IdHash> ids);
  // Takes the memory that adding so many will need.
  void reserve(std::uint64_t first_sequence, std::uint64_t count);

  std::uint64_t size() const { return used_; }  // ids held
  std::uint64_t memory_bytes() const;
  // What a window of `capacity` will take after so many records with ids.
  static std::uint64_t memory_bytes_for(std::uint64_t records, std::uint64_t capacity);

 private:
  static constexpr std::uint64_t kChunk = 1 << 14;
  using Chunk = std::unique_ptr<IdHash[]>;

  IdHash& ring(std::uint64_t position) { return chunks_[position / kChunk][position % kChunk]; }
  const IdHash& ring(std::uint64_t position) const {
    return chunks_[position / kChunk][position % kChunk];
  }
  std::uint64_t sequence_at(std::uint64_t position) const;
  void set(std::uint64_t sequence, const IdHash& id);
  void make_chunk(std::uint64_t chunk);
  void place(std::uint64_t position, const IdHash& id);
  void skip_to(std::uint64_t sequence);
  void remove(std::uint64_t position, const IdHash& id);
  void grow();

  std::uint64_t capacity_;
  std::uint64_t last_ = 0;  // the highest sequence added
  std::uint64_t used_ = 0;
  std::uint64_t mask_;
  std::vector<Chunk> chunks_;
  std::vector<std::uint64_t> slots_;  // 0: free; else position + 1, and the tag above
};

// The ids of the records that one write appends: finds repeats among them. Not thread-safe.
class IdBatch {
 public:
  void start(std::uint64_t first_sequence, std::size_t records_max);
  std::uint64_t find(const IdHash& id) const;  // its sequence; 0 when absent, or no id
  void add(const IdHash& id);                  // of the next sequence
  std::span<const IdHash> ids() const { return ids_; }
  std::uint64_t next_sequence() const { return first_ + ids_.size(); }

 private:
  std::uint64_t first_ = 1, mask_ = 0;
  std::vector<IdHash> ids_;
  std::vector<std::uint32_t> slots_;  // 0: free; else place in ids_ + 1
};

}  // namespace vitrine
