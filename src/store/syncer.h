// Syncs behind the writers' backs: a thread of its own that calls `sync` so many milliseconds after
// the first write that no sync covers yet, and sleeps while there is none.
//
// Thread safety: wrote() from any thread. The destructor waits for a sync that runs and calls no
// further one.
#pragma once

#include <functional>
#include <memory>

namespace vitrine {

class Syncer {
 public:
  Syncer(std::function<void()> sync, int milliseconds);
  ~Syncer();
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  void wrote();  // something that is not synced; never waits for the disk

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vitrine
