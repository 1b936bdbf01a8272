#include "store/window.h"

#include <algorithm>
#include <bit>

namespace vitrine {
namespace {

constexpr int kPositionBits = 40;
constexpr std::uint64_t kPositionMask = (std::uint64_t{1} << kPositionBits) - 1;
constexpr std::uint64_t kSlotsMin = 1024;
constexpr std::size_t kAhead = 8;  // records between a prefetch and its use

std::uint64_t slot_of(std::uint64_t position, const IdHash& id) {
  return (position + 1) | (id.high & ~kPositionMask);
}

}  // namespace

IdWindow::IdWindow(std::uint64_t capacity)
    : capacity_(std::min(capacity, kPositionMask)), mask_(kSlotsMin - 1), slots_(kSlotsMin) {}

// Ring positions repeat every `capacity_` sequences: the one meant is the latest not above last_.
std::uint64_t IdWindow::sequence_at(std::uint64_t position) const {
  return last_ - (last_ % capacity_ + capacity_ - position) % capacity_;
}

std::uint64_t IdWindow::find(const IdHash& id) const {
  if (!id) return 0;
  const std::uint64_t tag = id.high & ~kPositionMask;
  for (std::uint64_t i = id.low & mask_; slots_[i] != 0; i = (i + 1) & mask_) {
    if ((slots_[i] & ~kPositionMask) != tag) continue;
    const std::uint64_t position = (slots_[i] & kPositionMask) - 1;
    if (ring(position) == id) return sequence_at(position);
  }
  return 0;
}

void IdWindow::add(std::uint64_t first_sequence, std::span<const IdHash> ids) {
  if (capacity_ == 0 || ids.empty()) return;
  if (used_ > 0 && first_sequence > last_ + 1) skip_to(first_sequence);
  for (std::size_t i = 0; i < std::min(kAhead, ids.size()); ++i) prefetch(ids[i]);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i + kAhead < ids.size()) prefetch(ids[i + kAhead]);
    set(first_sequence + i, ids[i]);
  }
}

// The records between never had ids: what their places in the ring hold is too old.
void IdWindow::skip_to(std::uint64_t sequence) {
  const std::uint64_t gap = std::min(sequence - last_ - 1, capacity_);
  for (std::uint64_t i = 1; i <= gap; ++i) {
    const std::uint64_t position = (last_ + i) % capacity_;
    if (position / kChunk >= chunks_.size() || !chunks_[position / kChunk]) continue;
    IdHash& slot = ring(position);
    if (slot) remove(position, slot);
    slot = {};
  }
  last_ = sequence - 1;
}

void IdWindow::make_chunk(std::uint64_t chunk) {
  if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
  if (!chunks_[chunk])
    chunks_[chunk] = std::make_unique<IdHash[]>(std::min(kChunk, capacity_ - chunk * kChunk));
}

void IdWindow::reserve(std::uint64_t first_sequence, std::uint64_t count) {
  if (capacity_ == 0 || count == 0) return;
  for (std::uint64_t i = 0; i < count;) {
    const std::uint64_t position = (first_sequence + i) % capacity_, chunk = position / kChunk;
    make_chunk(chunk);
    i += std::min((chunk + 1) * kChunk, capacity_) - position;
  }
  while (std::min(used_ + count, capacity_) * 5 > slots_.size() * 3) grow();
}

void IdWindow::set(std::uint64_t sequence, const IdHash& id) {
  const std::uint64_t position = sequence % capacity_;
  make_chunk(position / kChunk);
  IdHash& slot = ring(position);
  if (slot) remove(position, slot);
  slot = id;
  last_ = sequence;
  if (!id) return;
  if ((used_ + 1) * 5 > slots_.size() * 3)
    grow();
  else
    place(position, id);
  ++used_;
}

void IdWindow::place(std::uint64_t position, const IdHash& id) {
  std::uint64_t i = id.low & mask_;
  while (slots_[i] != 0) i = (i + 1) & mask_;
  slots_[i] = slot_of(position, id);
}

// Linear probing's deletion: what follows in the cluster moves up unless it is already at home.
void IdWindow::remove(std::uint64_t position, const IdHash& id) {
  const std::uint64_t wanted = slot_of(position, id);
  std::uint64_t hole = id.low & mask_;
  while (slots_[hole] != wanted) hole = (hole + 1) & mask_;
  for (std::uint64_t i = (hole + 1) & mask_; slots_[i] != 0; i = (i + 1) & mask_) {
    const std::uint64_t home = ring((slots_[i] & kPositionMask) - 1).low & mask_;
    if (((i - home) & mask_) < ((i - hole) & mask_)) continue;
    slots_[hole] = slots_[i];
    hole = i;
  }
  slots_[hole] = 0;
  --used_;
}

void IdWindow::grow() {
  slots_.assign(slots_.size() * 2, 0);
  mask_ = slots_.size() - 1;
  for (std::uint64_t c = 0; c < chunks_.size(); ++c) {
    if (!chunks_[c]) continue;
    const std::uint64_t first = c * kChunk, end = std::min(first + kChunk, capacity_);
    for (std::uint64_t p = first; p < end; ++p) {
      if (p + kAhead < end) prefetch(ring(p + kAhead));
      if (ring(p)) place(p, ring(p));
    }
  }
}

std::uint64_t IdWindow::memory_bytes() const {
  std::uint64_t rings = 0;
  for (const Chunk& chunk : chunks_) rings += chunk ? kChunk * sizeof(IdHash) : 0;
  return rings + slots_.capacity() * sizeof(std::uint64_t) + chunks_.capacity() * sizeof(Chunk);
}

std::uint64_t IdWindow::memory_bytes_for(std::uint64_t records, std::uint64_t capacity) {
  const std::uint64_t held = std::min(records, capacity);
  std::uint64_t slots = kSlotsMin;
  while (held * 5 > slots * 3) slots *= 2;
  return (held + kChunk - 1) / kChunk * kChunk * sizeof(IdHash) + slots * sizeof(std::uint64_t);
}

void IdBatch::start(std::uint64_t first_sequence, std::size_t records_max) {
  first_ = first_sequence;
  ids_.clear();
  slots_.assign(std::bit_ceil(records_max * 2 + 1), 0);
  mask_ = slots_.size() - 1;
}

std::uint64_t IdBatch::find(const IdHash& id) const {
  if (!id) return 0;
  for (std::uint64_t i = id.low & mask_; slots_[i] != 0; i = (i + 1) & mask_)
    if (ids_[slots_[i] - 1] == id) return first_ + slots_[i] - 1;
  return 0;
}

void IdBatch::add(const IdHash& id) {
  ids_.push_back(id);
  if (!id) return;
  std::uint64_t i = id.low & mask_;
  while (slots_[i] != 0) i = (i + 1) & mask_;
  slots_[i] = static_cast<std::uint32_t>(ids_.size());
}

}  // namespace vitrine
