#include "engine/dataset.h"

#include <xxhash.h>

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/json.h"
#include "engine/merge.h"

namespace vitrine {
namespace {

constexpr std::uint64_t kReportEvery = 16'384;  // records between two looks at the monitor

// A clock that is ahead by up to a day; what is further ahead is for cleaning to drop. Unsigned,
// for the distance may overflow the signed type.
bool runs_fast(Timestamp time, Timestamp received) {
  return received != kNoTime && time > received &&
         static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(received) <=
             static_cast<std::uint64_t>(kDay);
}

// Folds records into a raw data set.
class Folder {
 public:
  Folder(const EventTypes& types, bool merge_sessions, KnownIds known, RawDataset& out)
      : types_(types), merge_sessions_(merge_sessions), known_(known.sequence), out_(out) {
    out_.sequence = known.sequence;
    out_.vocabulary = std::move(known.vocabulary);
    if (known_ > 0) then_.emplace(out_.vocabulary);
  }

  Status fold(const LogRecord& record) {
    if (record.sequence > known_) {
      if (record.sequence != out_.sequence + 1) return lacks_records_before(record.sequence);
      out_.sequence = record.sequence;
      then_.reset();
      return fold_record(record);
    }
    const std::uint32_t items = out_.vocabulary.items.size();
    VT_TRY(fold_record(record));
    return unknown_ || out_.vocabulary.items.size() != items ? names_unknown_ids() : Status();
  }

  void finish() {
    out_.catalogue.resize(out_.vocabulary.items.size());
    if (merge_sessions_ || !moves_.empty()) give_away();
    if (erased_) drop_erased();
  }

 private:
  Status fold_record(const LogRecord& record) {
    switch (record.kind) {
      case RecordKind::kEvent: {
        VT_TRY(decode_event(record.payload, types_, event_));
        event_.received = received_of(event_, record.received);
        const UserIndex user = event_.user.empty() ? kNoUser : user_of(event_.user);
        const ItemIndex item =
            event_.item.empty() ? kNoItem : out_.vocabulary.add_item(event_.item);
        out_.table.add(event_, record.sequence, user, item);
        Timestamp& time = out_.table.time.back();
        if (runs_fast(time, event_.received)) time = event_.received;
        return {};
      }
      case RecordKind::kItem: {
        VT_TRY(const Item item, decode_item(record.payload));
        out_.catalogue.put(out_.vocabulary.add_item(item.id), item);
        return {};
      }
      case RecordKind::kUser: {
        VT_TRY(const User user, decode_user(record.payload));
        user_of(user.id);
        return {};
      }
      case RecordKind::kEraseItem: {
        const auto item = out_.vocabulary.item(as_text(record.payload));
        if (!item) return {};
        out_.catalogue.resize(out_.vocabulary.items.size());  // events alone make no rows
        out_.catalogue.erase(*item);
        return {};
      }
      case RecordKind::kEraseUser:
        erase_user(as_text(record.payload));
        return {};
      case RecordKind::kRule:
      case RecordKind::kConsent:
        return {};  // nothing learns from them
      case RecordKind::kMerge: {
        VT_TRY(const Merge merge, decode_merge(record.payload));
        note(merge);
        return {};
      }
    }
    return Error{Code::kCorrupt,
                 "a record of a kind that this version does not know; a newer Vitrine "
                 "wrote it"};
  }

  UserIndex user_of(std::string_view id) {
    if (!then_) return out_.vocabulary.add_user(id);
    const UserIndex user = then_->of(id);
    unknown_ |= user == kNoUser;
    erased_ |= user != kNoUser && out_.vocabulary.id(user).empty();
    return user;
  }

  void erase_user(std::string_view id) {
    if (!then_) {
      erased_ |= out_.vocabulary.users.erase(id);
      return;
    }
    const auto again = out_.vocabulary.user(id);
    const UserIndex hole = then_->erase(id);
    if (!again) return;
    unknown_ |= hole == kNoUser;
    moves_.push_back({out_.table.size(), *again, EventTable::kNone, hole});
    erased_ = true;
  }

  // At a merge the rows before `row` move.
  struct Move {
    std::size_t row;
    UserIndex user;         // from; kNoUser: from the session
    std::uint32_t session;  // of the table
    UserIndex to;
  };

  void note(const Merge& merge) {
    const UserIndex to = user_of(merge.to);
    if (!merge.session.empty()) {
      if (const auto session = out_.table.sessions.find(merge.session))
        moves_.push_back({out_.table.size(), kNoUser, *session, to});
    } else if (const auto user =
                   then_ ? then_->find(merge.user) : out_.vocabulary.user(merge.user)) {
      moves_.push_back({out_.table.size(), *user, EventTable::kNone, to});
    }
  }

  // From the last row to the first, knowing whose each session's and user's earlier events become.
  void give_away() {
    EventTable& table = out_.table;
    std::vector<UserIndex> owner(table.sessions.size(), kNoUser);
    std::unordered_map<std::uint32_t, UserIndex> becomes;
    const auto now = [&](UserIndex user) {
      const auto found = becomes.find(raw(user));
      return found == becomes.end() ? user : found->second;
    };
    const auto undo = [&](const Move& move) {
      if (move.user == kNoUser) {
        owner[move.session] = now(move.to);
      } else {
        becomes[raw(move.user)] = now(move.to);
      }
    };
    auto next = moves_.rbegin();
    for (std::size_t row = table.size(); row-- > 0;) {
      for (; next != moves_.rend() && next->row > row; ++next) undo(*next);
      const std::uint32_t session = table.session[row];
      UserIndex& user = table.user[row];
      if (user != kNoUser) {
        user = now(user);
        if (merge_sessions_ && session != EventTable::kNone) owner[session] = user;
      } else if (session != EventTable::kNone) {
        user = owner[session];
      }
    }
  }

  template <class T>
  static void compact(std::vector<T>& column, const std::vector<std::uint32_t>& kept) {
    for (std::size_t i = 0; i < kept.size(); ++i) column[i] = column[kept[i]];
    column.resize(kept.size());
  }

  // The rows of users who are holes by now.
  void drop_erased() {
    EventTable& table = out_.table;
    std::vector<std::uint32_t> kept;
    kept.reserve(table.size());
    for (std::uint32_t row = 0; row < table.size(); ++row) {
      const UserIndex user = table.user[row];
      if (user == kNoUser || !out_.vocabulary.id(user).empty()) kept.push_back(row);
    }
    compact(table.user, kept);
    compact(table.item, kept);
    compact(table.type, kept);
    compact(table.value, kept);
    compact(table.quantity, kept);
    compact(table.price, kept);
    compact(table.time, kept);
    compact(table.received, kept);
    compact(table.session, kept);
    compact(table.order, kept);
    compact(table.sequence, kept);
    compact(table.content, kept);
  }

  const EventTypes& types_;
  const bool merge_sessions_;
  const std::uint64_t known_;  // the vocabulary holds the ids of the records up to here
  RawDataset& out_;
  std::optional<KnownUsers> then_;  // of these records
  bool unknown_ = false;            // one of them names somebody else
  Event event_;
  std::vector<Move> moves_;
  bool erased_ = false;
};

template <class Record>
Result<Record> decode_json(std::span<const std::byte> payload,
                           Result<Record> (*read)(const Value&)) {
  auto json = parse_json(as_text(payload));
  if (!json.ok()) return Error{Code::kCorrupt, json.error().message};
  auto record = read(*json);
  if (!record.ok()) return Error{Code::kCorrupt, record.error().message};
  return record;
}

}  // namespace

Timestamp received_of(const Event& event, Timestamp record) {
  if (event.received == kNoTime || record == kNoTime) return std::max(event.received, record);
  return std::min(event.received, record);
}

Result<Item> decode_item(std::span<const std::byte> payload) {
  return decode_json(payload, item_from_json);
}

Result<User> decode_user(std::span<const std::byte> payload) {
  return decode_json(payload, user_from_json);
}

Result<RawDataset> read_dataset(const Run& run, const EventLog& log, const EventTypes& types,
                                std::uint64_t up_to, const LiveOptions& live, KnownIds known) {
  const std::uint64_t last = std::min(up_to, log.last_sequence());
  known.sequence = std::min(known.sequence, last);
  RawDataset raw;
  Folder folder(types, live.merge_sessions, std::move(known), raw);
  const std::uint64_t first = log.first_sequence();
  Stage stage(run.monitor, "reading the event log", last >= first ? last - first + 1 : 0,
              "records");
  VT_TRY(log.read(first, [&](const LogRecord& record) -> Status {
    if (record.sequence > last) return {};
    auto folded = folder.fold(record);
    if (!folded.ok()) {
      return folded.error().prefixed("event log, record " + std::to_string(record.sequence));
    }
    const std::uint64_t done = record.sequence - first + 1;
    return done % kReportEvery == 0 ? stage.proceed(done) : Status();
  }));
  folder.finish();
  return raw;
}

Result<Dataset> build_dataset(const Run& run, const EventLog& log, const EventTypes& types,
                              const Config& config, std::uint64_t up_to, KnownIds known) {
  const bool dropped = known.sequence > 0;
  VT_TRY(RawDataset raw, read_dataset(run, log, types, up_to, config.live, std::move(known)));
  VT_TRY(CleanView view,
         clean(run, raw.table, raw.vocabulary, raw.catalogue, types, config.cleaning));
  VT_TRY(Histories histories,
         build_histories(run, raw.table, view, raw.vocabulary, types, config.histories));
  return Dataset{std::move(raw.vocabulary),
                 std::move(raw.catalogue),
                 std::move(histories),
                 std::move(view.report),
                 raw.sequence,
                 dropped};
}

std::uint64_t items_fingerprint(const Vocabulary& vocabulary, std::uint32_t items) {
  std::uint64_t hash = items;
  for (std::uint32_t i = 0; i < items; ++i) {
    const std::string_view id = vocabulary.id(ItemIndex{i});
    hash = XXH3_64bits_withSeed(id.data(), id.size(), hash);
  }
  return hash;
}

}  // namespace vitrine
