// Writing the persons of a checkpoint beside what goes on, and reading them back.
#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/file.h"
#include "engine/live_state_impl.h"

namespace vitrine {
namespace {

constexpr std::size_t kSliceBytes = 128 << 10;  // copied while a shard is locked
constexpr std::size_t kStoredBytes = 16 << 20;  // of persons from the state store, in one tensor
bool is_session(const PersonKey& key) { return key.high >> 63 != 0; }

constexpr std::string_view kPeople = "people", kLate = "late", kStored = "stored";

std::string numbered(std::string_view name, std::size_t i) {
  return std::string(name) + "/" + std::to_string(i);
}

void write(ArchiveWriter& writer, const std::string& name, const std::string& bytes) {
  writer.tensor(name, std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

// All persons of a shard that are not in the checkpoint yet, slice by slice.
std::string take_records(LiveShard& shard) {
  for (std::size_t place = 0;;) {
    const std::unique_lock lock(shard.mutex);
    const std::size_t enough = shard.records.size() + kSliceBytes;
    while (place < shard.persons.size() && shard.records.size() < enough)
      shard.preserve(shard.persons.at(place++));
    if (place >= shard.persons.size()) return std::exchange(shard.records, {});
  }
}

}  // namespace

void LiveState::begin_save() {
  for (LiveShard& shard : impl_->shards) {
    const std::unique_lock lock(shard.mutex);
    shard.saving = true;
    ++shard.round;
    shard.records.clear();
  }
  impl_->pinned = impl_->counts.pin();
}

Status LiveState::prepare_save() {
  if (impl_->incomplete.load()) {
    return Error{Code::kIo,
                 "the state store failed, and not everybody's events are known until the program "
                 "is started again; the last checkpoint stays"};
  }
  return impl_->forget_sessions(sequence());
}

// Of the sessions in the store, those whose latest event lies furthest back in the log.
Status LiveState::Impl::forget_sessions(std::uint64_t sequence) {
  const auto each = [&](const auto& visit) {
    return store.scan(kLivePrefix, [&](std::string_view name, std::string_view value) {
      PersonKey key;
      if (name.size() != kLivePrefix.size() + sizeof key || value.size() < sizeof(Kept))
        return true;
      std::memcpy(&key, name.data() + kLivePrefix.size(), sizeof key);
      if (!is_session(key)) return true;
      Kept latest;
      std::memcpy(&latest, value.data() + value.size() - sizeof latest, sizeof latest);
      visit(name, static_cast<std::uint32_t>(sequence) - latest.order);
      return true;
    });
  };
  std::vector<std::uint32_t> distances;
  VT_TRY(each([&](std::string_view, std::uint32_t distance) { distances.push_back(distance); }));
  if (distances.size() <= limits.stored_sessions) return {};
  const auto last = distances.begin() + static_cast<std::ptrdiff_t>(limits.stored_sessions);
  std::nth_element(distances.begin(), last, distances.end());
  const std::uint32_t bound = *last;
  Status erased;
  VT_TRY(each([&](std::string_view name, std::uint32_t distance) {
    if (distance >= bound && erased.ok()) erased = store.erase(name);
  }));
  return erased;
}

// First who is in memory, then who is in the store; what went there in between comes before it.
Status LiveState::save(ArchiveWriter& writer) {
  LiveCounts::save(*std::exchange(impl_->pinned, nullptr), writer);
  for (std::size_t i = 0; i < kLiveShards; ++i)
    write(writer, numbered(kPeople, i), take_records(impl_->shards[i]));
  LiveShard stored;
  std::size_t pieces = 0;
  const auto flush = [&] {
    write(writer, numbered(kStored, pieces++), std::exchange(stored.records, {}));
  };
  const Status scanned = impl_->store.scan(kLivePrefix, [&](auto name, auto value) {
    PersonKey key;
    std::vector<Kept> events(value.size() / sizeof(Kept));
    if (name.size() != kLivePrefix.size() + sizeof key) return true;
    std::memcpy(&key, name.data() + kLivePrefix.size(), sizeof key);
    if (!events.empty()) std::memcpy(events.data(), value.data(), events.size() * sizeof(Kept));
    stored.record(key, events);
    if (stored.records.size() >= kStoredBytes) flush();
    return true;
  });
  flush();
  std::string late;
  for (LiveShard& shard : impl_->shards) {
    const std::unique_lock lock(shard.mutex);
    shard.saving = false;
    late += std::exchange(shard.records, {});
  }
  write(writer, std::string(kLate), late);
  return scanned;
}

Status LiveState::Impl::read_records(std::string_view bytes, std::uint32_t items) {
  const Error wrong{Code::kCorrupt, "a person's events are cut short or of unknown items"};
  while (!bytes.empty()) {
    PersonKey key;
    std::uint32_t count = 0;
    if (bytes.size() < sizeof key + sizeof count) return wrong;
    std::memcpy(&key, bytes.data(), sizeof key);
    std::memcpy(&count, bytes.data() + sizeof key, sizeof count);
    bytes.remove_prefix(sizeof key + sizeof count);
    const std::uint64_t size = std::uint64_t{count} * sizeof(Kept);
    if (bytes.size() < size) return wrong;
    std::vector<Kept> events(count);
    if (count > 0) std::memcpy(events.data(), bytes.data(), size);
    bytes.remove_prefix(size);
    for (const Kept& kept : events)
      if (raw(kept.item) >= items) return wrong;
    LiveShard& shard = this->shard(key);
    const std::unique_lock lock(shard.mutex);
    VT_TRY(const PersonEntry* known, bring(shard, key));
    if (known == nullptr) shard.persons.add(key, events).dirty = true;
    (void)make_room(shard, key).ok();
  }
  return {};
}

Status LiveState::load(ArchiveReader& reader, std::uint64_t sequence, std::uint32_t items) {
  VT_TRY(impl_->counts.load(reader, items));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kLiveShards; ++i) names.push_back(numbered(kPeople, i));
  names.emplace_back(kLate);
  for (std::size_t i = 0; reader.has(numbered(kStored, i)); ++i)
    names.push_back(numbered(kStored, i));
  for (const std::string& name : names) {
    VT_TRY(const auto bytes, reader.tensor<std::uint8_t>(name));
    VT_TRY(impl_->read_records(as_text(std::as_bytes(bytes.span())), items));
  }
  // Those who only said that they were not there.
  for (LiveShard& shard : impl_->shards) {
    const std::unique_lock lock(shard.mutex);
    for (std::size_t i = shard.persons.size(); i-- > 0;)
      if (shard.persons.at(i).size == 0) shard.persons.drop(shard.persons.at(i));
  }
  sequence_.store(sequence, std::memory_order_release);
  return {};
}

}  // namespace vitrine
