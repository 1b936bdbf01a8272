// Everything that vitrine.toml can say: typed structs next to what they configure, gathered here.
// Read once, validated at once, then const. Defaults < vitrine.toml < flags.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/options.h"
#include "data/clean.h"
#include "data/histories.h"
#include "data/import.h"
#include "data/split.h"
#include "eval/evaluate.h"
#include "rank/pipeline.h"
#include "store/event_log.h"

namespace vitrine {

struct ShopOptions {
  std::string folder = "shop";  // log, state, snapshots; relative to the configuration file
  std::vector<std::string> event_types;  // a shop's own types
  std::int64_t seed = 1;
  int threads = 0;  // 0: all cores
  static constexpr auto fields() {
    using O = ShopOptions;
    return std::tuple{
        Field{"folder", &O::folder,
              "where log, state and snapshots live, relative to the configuration file"},
        Field{"event_types", &O::event_types, "event types of your own, beside the built-in ones"},
        Field{"seed", &O::seed, std::int64_t{0}, std::int64_t{1} << 62, "one seed, same bytes"},
        Field{"threads", &O::threads, 0, 1024, "0: one per core"}};
  }
};

struct TrainOptions {
  std::vector<std::string> models;  // names of [models.*]; empty: chosen by validation
  double budget_seconds = 600;      // for choosing; fitting the chosen ones is not cut
  std::string metric = "ndcg@20";   // what is chosen by
  double schedule_hours = 0;        // while serving: refit so often; 0: on demand only
  bool warm_start = false;
  int snapshots_kept = 3;
  int memory_limit_mb = 0;         // of the background process; 0: none
  double checkpoint_minutes = 10;  // between two writings of a long fit's state; 0: never
  double gate_tolerance =
      0.05;  // publish unless worse than the champion by more than its interval and this share
  int time_limit_minutes = 1440;  // of the background process; 0: none
  int cores = 0;                  // of the background process; 0: all
  int retries = 1;                // of a training in the background that crashed
  double volume_ratio_max = 5;    // newest whole day against its weekday before, either way
  double drift_max = 0.6;         // distance of the distributions of a model's scores
  double coverage_min =
      0.01;  // share of the available items that the slates of a validation sample must reach
  static constexpr auto fields() {
    using O = TrainOptions;
    return std::tuple{
        Field{"models", &O::models, "which [models.*] are fitted; empty: chosen by validation"},
        Field{"budget_seconds", &O::budget_seconds, 1.0, 1e7,
              "time for choosing models and settings"},
        Field{"metric", &O::metric, "what models are chosen by"},
        Field{"schedule_hours", &O::schedule_hours, 0.0, 1e5,
              "refit so often while serving; 0: on demand"},
        Field{"warm_start", &O::warm_start,
              "models that can (als) start from the published snapshot's: fewer epochs serve, and "
              "the bytes depend on that snapshot too"},
        Field{"snapshots_kept", &O::snapshots_kept, 1, 1000,
              "older ones are removed after publication"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 0, 1 << 24,
              "data that training in the background may hold; 0: no limit"},
        Field{"checkpoint_minutes", &O::checkpoint_minutes, 0.0, 1e5,
              "a neural model that is fitted longer keeps its state so often, and goes on from it "
              "after a kill; 0: never"},
        Field{"gate_tolerance", &O::gate_tolerance, 0.0, 1.0,
              "relative loss against the published snapshot that is let through"},
        Field{"time_limit_minutes", &O::time_limit_minutes, 0, 1 << 20,
              "training in the background is ended after so long; 0: no limit"},
        Field{"cores", &O::cores, 0, 1024,
              "processor cores that training in the background may use; 0: all"},
        Field{
            "retries", &O::retries, 0, 100,
            "how often a training in the background is begun again after a crash, a minute later, "
            "then two, four, ..."},
        Field{"volume_ratio_max", &O::volume_ratio_max, 0.0, 1e6,
              "publish unless the newest whole day has so many times the events of its weekday "
              "before, or so few; 0: not looked at"},
        Field{"drift_max", &O::drift_max, 0.0, 1.0,
              "largest distance (Kolmogorov-Smirnov) of the distributions of a model's scores from "
              "the published snapshot's; 1: not looked at"},
        Field{"coverage_min", &O::coverage_min, 0.0, 1.0,
              "share of items that lists must reach for publication"}};
  }
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 8080;  // 0: any free one
  int threads = 0;  // 0: one per core
  std::vector<std::string>
      keys;  // "name:scope:env:VAR" or "name:scope:file:PATH"; scope: read, write or admin
  bool development = false;  // open without keys, on loopback only
  int body_bytes_max = 8 << 20;
  int batch_max = 10'000;
  int n_max = 1000;
  int request_seconds_max = 30;
  int connections_max = 10'000;
  int queue_ms_max = 100;
  int deadline_ms = 0;
  static constexpr auto fields() {
    using O = ServerOptions;
    return std::tuple{
        Field{"host", &O::host, "address to listen on"},
        Field{"port", &O::port, 0, 65535, "0: any free one"},
        Field{"threads", &O::threads, 0, 1024, "0: one per core"},
        Field{"keys", &O::keys,
              "API keys as name:scope:env:VARIABLE or name:scope:file:PATH; scope is "
              "read, write or admin"},
        Field{"development", &O::development, "answer without a key (loopback only)"},
        Field{"body_bytes_max", &O::body_bytes_max, 1024, 1 << 30,
              "larger request bodies are refused"},
        Field{"batch_max", &O::batch_max, 1, 1'000'000, "records in one request"},
        Field{"n_max", &O::n_max, 1, 10'000, "items in one list"},
        Field{"request_seconds_max", &O::request_seconds_max, 1, 3600,
              "a client that takes longer to send a request or to take the answer is cut off"},
        Field{"connections_max", &O::connections_max, 1, 1'000'000,
              "further connections are refused"},
        Field{"queue_ms_max", &O::queue_ms_max, 0, 60'000,
              "requests that waited longer for a thread are refused with 429 once all do; 0: none"},
        Field{"deadline_ms", &O::deadline_ms, 0, 60'000,
              "lists that take longer are answered with the best that is ready; X-Deadline-Ms of "
              "a request comes first; 0: none"}};
  }
};

struct LiveOptions {
  int memory_mb = 1024;
  double checkpoint_minutes = 10;
  bool merge_sessions = true;
  std::string region = "country";
  static constexpr auto fields() {
    using O = LiveOptions;
    return std::tuple{
        Field{"memory_mb", &O::memory_mb, 1, 1 << 24,
              "of people's latest events; those not heard of longest move to the disk"},
        Field{"checkpoint_minutes", &O::checkpoint_minutes, 0.0, 1e5,
              "the live state is written so often, and when the server stops, so that a start "
              "replays only what came later; 0: never, each start replays the whole log"},
        Field{"merge_sessions", &O::merge_sessions,
              "the first event with a user and a session gives the session's earlier events to "
              "that user"},
        Field{"region", &O::region,
              "the key of an event's context that names its region; empty: none"}};
  }
};

// One [models.NAME]: `kind` (default: the name itself) and that kind's options.
struct ModelConfig {
  std::string name, kind;
  Table options;
};

// One [placements.NAME].
struct PlacementOptions {
  std::string name;
  std::vector<std::string> models;   // names; empty: all personal ones (popularity fills up)
  std::vector<std::string> weights;  // "ease=2"; others weigh 1
  std::string repeat = "never";      // never, after_cycle, always
  double cycle_days = 30;   // of after_cycle: a bought item may come back after so many days
  double new_items = 0.05;  // share of the places for items that came after the snapshot
  std::vector<std::string> cascade;  // models in the order in which they are asked
  static constexpr auto fields() {
    using O = PlacementOptions;
    return std::tuple{
        Field{"models", &O::models,
              "models that retrieve; empty: all but popularity, which fills up, and together"},
        Field{"weights", &O::weights, "weights in the fusion, model=weight; others weigh 1"},
        Field{"repeat", &O::repeat, "never|after_cycle|always",
              "whether items that a person already has may be shown"},
        Field{"cycle_days", &O::cycle_days, 0.0, 1e5,
              "of after_cycle: days until a bought item may come back"},
        Field{"new_items", &O::new_items, 0.0, 0.5,
              "share of the places that show items which no model knows yet, drawn by their "
              "attributes; 0: they wait for the next training"},
        Field{"cascade", &O::cascade,
              "the order in which models are asked: when a deadline is near, what comes last is "
              "left out first, popularity is what remains; others follow by falling weight"}};
  }
};

struct Config {
  ShopOptions shop;                          // [shop]
  std::vector<SourceOptions> sources;        // [[sources]]
  CleaningOptions cleaning;                  // [cleaning]
  HistoryOptions histories;                  // [histories]
  InteractionOptions interactions;           // [interactions]
  SplitOptions split;                        // [split]
  EvaluateOptions evaluate;                  // [evaluate]
  TrainOptions train;                        // [train]
  PipelineOptions pipeline;                  // [pipeline]
  ServerOptions server;                      // [server]
  EventLogOptions log;                       // [log]
  LiveOptions live;                          // [live]
  std::vector<ModelConfig> models;           // [models.NAME]
  std::vector<PlacementOptions> placements;  // [placements.NAME]

  std::string path;  // of the file it came from, or empty
  // Not of the file: the command that trains in the background, for start_training(); the request's
  // flags (--force, --reason TEXT) are added. Empty: training runs on a thread of this process.
  std::vector<std::string> trainer;

  std::string folder() const;  // of that file: relative paths start here; "." without one
  std::string resolve(const std::string& relative) const;
  // By name; kInvalid naming the nearest known one.
  Result<const ModelConfig*> model(std::string_view name) const;
  Result<const PlacementOptions*> placement(std::string_view name) const;
};

// The list length of a metric: 20 of "ndcg@20"; 0 when it names none.
int metric_cutoff(std::string_view metric);

// The built-in event types and the shop's own.
Result<EventTypes> event_types(const Config& config);

// An unknown section, key, model kind or placement is an error that names file, section and the
// nearest known name.
Result<Config> config_from_table(const Table& table, std::string path);
// `overrides`: "section.key=value" from the command line, laid over the file. A missing file is an
// error that says how to make one; an empty path means defaults.
Result<Config> read_config(FileSystem& files, const std::string& path,
                           const std::vector<std::string>& overrides);
Table config_to_table(const Config& config);  // complete, for `vitrine config` and manifests
// Every option of every section ("train", "models.ease", "placements.NAME"), for
// docs/configuration.md.
std::vector<std::pair<std::string, std::vector<FieldDoc>>> describe_config();
std::string configuration_markdown();  // that file's text

}  // namespace vitrine
