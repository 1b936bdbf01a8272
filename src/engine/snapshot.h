// A snapshot: everything that training made, in one folder, immutable once published. A request
// pins one by shared_ptr. The folder's layout is in docs/formats.md: manifest.json, catalogue.vta,
// models/NAME.vta, which are the same bytes for the same log, configuration, seed and threads;
// publication.json holds what differs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "data/catalogue.h"
#include "model/model.h"

namespace vitrine {

// What the gate looked at, and what it said.
struct GateCheck {
  std::string name;  // events, volume, coverage, metric, scores, lists
  bool passed = true;
  std::string text;  // one sentence for people
};

// What became of a snapshot after it was made: when, and what the gate said.
struct Publication {
  Timestamp created = kNoTime;
  bool passed = false;   // the gate's decision
  std::string champion;  // what the gate compared with, or empty
  std::string verdict;   // its words
  std::string reason;    // why it was overridden, or empty
  std::vector<GateCheck> checks = {};
};

struct Manifest {
  std::string name;                    // "000001-1041909": number, last sequence; the folder's name
  std::uint64_t sequence = 0;          // the log up to here
  std::uint32_t users = 0, items = 0;  // vocabulary lengths
  std::int64_t seed = 1;
  int threads = 1;
  std::string kernels;                  // kernel level
  Timestamp last_event = kNoTime;       // "now" of the training data
  std::uint64_t events = 0;             // that were left after cleaning
  std::uint64_t items_fingerprint = 0;  // of the item ids it knows: it serves no other shop's log
  Table config;                         // complete configuration it was trained with
  Table metrics;  // held-out: model -> metric -> {mean, low, high}; "home": its lists
  // Of models that search approximately (index/clustered.h), as measured when they were saved:
  // model -> [{allowed, recall@10}], `allowed` the share of items that a mask leaves.
  Table searches;
  std::vector<std::pair<std::string, std::string>>
      models;  // name and kind, in the order of fitting
  Publication publication;
  Value to_json() const;  // all of it
  static Result<Manifest> from_json(const Value& json);
};

struct NamedModel {
  std::string name, kind;
  std::unique_ptr<const Model> model;
};

class Snapshot {
 public:
  Manifest manifest;
  std::shared_ptr<const Catalogue> catalogue;
  std::vector<NamedModel> models;
  const Model* find(std::string_view name) const;  // null when absent

  // Writes beside, syncs and renames: the folder is whole or not there. Its last part is the name.
  // The manifest that is written has the searches of the models that were.
  static Status save(FileSystem& files, const std::string& folder, const Snapshot& snapshot);
  // Every byte is checked. Errors name the file.
  static Result<std::shared_ptr<const Snapshot>> load(FileSystem& files, const std::string& folder);
};

// The manifest alone, publication included.
Result<Manifest> load_manifest(FileSystem& files, const std::string& folder);

// A shop's folder of snapshots, and the file CURRENT in it that names the published one.
// Thread-safe; other processes may publish and prune at the same time.
class SnapshotFolder {
 public:
  SnapshotFolder(FileSystem& files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}
  std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }
  Result<std::vector<std::string>> names() const;  // oldest first; half-written ones are not listed
  Result<std::string> current() const;             // empty when nothing was published yet
  Status publish(std::string_view name) const;     // kNotFound; atomic and durable
  Result<std::string> next_name(std::uint64_t sequence) const;
  // Keeps the newest `kept` that passed the gate, the newest that did not, and the published one.
  // Removes the others, and what a crash left half-written.
  Status prune(int kept) const;

 private:
  FileSystem& files_;
  std::string folder_;
};

}  // namespace vitrine
