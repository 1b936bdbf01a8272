// The engine's own state: private to engine*.cc.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>

#include "engine/background.h"
#include "engine/category_masks.h"
#include "engine/engine.h"
#include "engine/live.h"
#include "engine/new_items.h"
#include "engine/retention.h"
#include "engine/slate_pages.h"
#include "engine/slate_stream.h"
#include "engine/sources.h"

namespace vitrine {

// A snapshot with what its placements ask, resolved once.
struct Serving {
  std::shared_ptr<const Snapshot> snapshot;
  std::map<std::string, PlacementSources, std::less<>> placements;
};

// What one answer is made from, pinned at its start.
struct Pinned {
  const Live* live;
  std::shared_ptr<const Serving> serving;  // null: nothing is published
  std::shared_ptr<const CatalogueVersion> catalogue;
  std::uint64_t sequence;  // of the state
};

struct Engine::State {
  State(Config c, FileSystem& f, OpenMode m, TimeOfDay now, EventTypes t, EventWeights w)
      : config(std::move(c)),
        files(f),
        mode(m),
        clock(now),
        types(std::move(t)),
        weights(w),
        folder(config.resolve(config.shop.folder)),
        snapshots(files, folder + "/snapshots") {}

  const Config config;
  FileSystem& files;
  const OpenMode mode;
  const TimeOfDay clock;
  const EventTypes types;
  const EventWeights weights;
  const std::string folder;
  const SnapshotFolder snapshots;

  // The log: opened to write at once when serving, else on the first write; until then read beside
  // whoever writes.
  Result<EventLog*> log_to_write();
  Result<std::shared_ptr<const EventLog>> log_to_read();
  Result<Live*> live();  // replayed on first need
  CheckpointPlace checkpoint() { return {&files, folder + "/checkpoint"}; }
  // Of records that the log may have dropped. To be asked for once the log is opened: a log may
  // have more than they need, never less.
  Result<KnownIds> known_ids() const { return load_known_ids(files, vocabulary_path()); }
  std::string vocabulary_path() const { return folder + "/vocabulary"; }

  // Appends, and feeds the live state if there is one. `batch` says what the records mean for it.
  Result<Ack> write(std::span<const NewRecord> records, bool durable,
                    const std::function<void(Live::Turn&, const Appended&)>& batch);

  Result<Ack> put_items(std::span<const Item> items);
  Result<Ack> put_users(std::span<const User> users);

  // Waits for that sequence, but no longer than ms_left: then for what is there.
  Result<Pinned> pin(std::uint64_t min_sequence, std::optional<double> ms_left = std::nullopt);
  std::shared_ptr<const Serving> serving() const;
  void serve(std::shared_ptr<const Snapshot> snapshot);  // from the next answer on
  // Loads and swaps; the published snapshot stays what it is when that fails.
  Status load_snapshot(const std::string& name);
  void load_any_snapshot();
  Status start_serving(const Run& run);
  double hours_since_training() const;
  // Loads what CURRENT names if it is not what is served.
  Status follow_current();
  Result<std::shared_ptr<const Snapshot>> published_snapshot();  // for the gate; null: none

  Result<TrainReport> train(const Run& run, const TrainRequest& request);
  Status train_in_background(const TrainRequest& request, const std::atomic<bool>& stop);

  std::string next_slate_id();

  std::shared_mutex
      patching;  // alone: a patch, which reads, changes and writes; shared: the others

  std::mutex log_mutex;  // of the pointer
  std::shared_ptr<EventLog> writer;
  std::shared_mutex live_building;  // shared: a write; alone: the replay
  std::unique_ptr<Live> live_state;
  std::atomic<Live*> live_ready{nullptr};

  mutable std::mutex serving_mutex;
  std::shared_ptr<const Serving> serving_now;

  CategoryMasks category_masks;
  NewItems new_items;
  SlatePages pages;
  std::unique_ptr<SlateStream> slates;  // when serving
  std::uint64_t slate_key = 0;
  std::atomic<std::uint64_t> slate_counter{0};
  std::unique_ptr<Background> background;              // the last two use everything above
  std::unique_ptr<CheckpointWriter> live_checkpoints;  // when serving
};

}  // namespace vitrine
