// One shop under everything that can happen to it, by seed: its operations, a clock that jumps, a
// disk that fails, crashes. What it does is compared with the oracle of what it acknowledged.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "tests/fault_files.h"
#include "tests/memory_files.h"
#include "tests/reliability/oracle.h"
#include "tests/temp_folder.h"

namespace vitrine {

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed);
  void run();  // until it is done, or the first failed expectation
  const std::string& story() const { return story_; }

 private:
  struct Operation {
    const char* name;
    std::uint64_t weight;  // how often it is drawn, beside the others
    void (Simulation::*run)();
  };
  static const std::vector<Operation>& operations();

  std::uint64_t below(std::uint64_t bound) { return random_.below(draws_++, bound); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::string any(const char* prefix, std::uint64_t n) { return prefix + std::to_string(below(n)); }
  void tell(const std::string& what) { story_ += what; }
  std::string path(const std::string& name) const { return folder_.path() + "/shop/" + name; }
  Run work() { return Run{Random(1), pool_, monitor_}; }

  // The world.
  void pass_time();
  void break_disk();
  void mend_disk();

  // Lives of the shop.
  void open();
  void restart();  // stopped, killed, or out of power
  void damage_checkpoint();
  void adopt(std::size_t durable);

  // Writing. Each is acknowledged and from then on in the log, or refused with a reason.
  Event any_event();
  void add_events();
  void put_items();
  void patch_item();
  void erase_item();
  void put_users();
  void erase_user();
  void merge();
  void told(const Result<Ack>& ack, std::vector<Record> records);
  void refused(const Error& error);
  void unknown(bool known);

  // The rest.
  void checkpoint();
  void train();
  void roll_back();
  void maybe_published();
  void recommend();

  // Looking.
  void check();
  void check_people(const Oracle& oracle);
  void check_catalogue(const Oracle& oracle);
  void check_popular(const Oracle& oracle);
  void check_replay(const Oracle& oracle);
  void check_snapshot(const Oracle& oracle);
  void check_history(std::span<const HistoryEvent> live, const Oracle::History& history);
  Oracle oracle() const { return Oracle(log_, types_, weights_); }

  const Random random_;
  std::uint64_t draws_ = 0;
  std::string story_;

  const TempFolder folder_;  // of the locks; everything else is in memory
  MemoryFiles memory_;
  FaultFiles files_{memory_};
  ThreadPool pool_{1};
  QuietMonitor monitor_;
  Config config_;
  EventTypes types_;
  EventWeights weights_;
  std::unique_ptr<Engine> engine_;

  std::vector<Record> log_;                  // what was acknowledged
  std::vector<std::vector<Record>> tails_;   // what was refused, and one of which may be behind it
  std::size_t durable_ = 0;                  // records that a power cut leaves
  std::set<std::string> known_;              // ids of events in the log
  std::set<std::string> current_;            // what may be published; one, unless publishing failed
  std::vector<Event> sent_;                  // with ids
  bool failing_ = false, for_ever_ = false;  // the disk
  bool refuses_ = false;                     // the log may, until it is opened again
};

}  // namespace vitrine
