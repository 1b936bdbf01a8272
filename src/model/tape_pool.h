// Tapes for serving: one for each thread that is asking at the same time, kept with their memory,
// so that a warm answer allocates nothing. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "nn/tape.h"

namespace vitrine {

// `Scratch` is what a model wants to keep besides.
template <class Scratch>
class TapePool {
 public:
  struct Workspace {
    explicit Workspace(const nn::Parameters& parameters) : tape(parameters) {}
    nn::Tape tape;
    Scratch scratch;
  };
  // `parameters` must outlive it, at its place.
  explicit TapePool(const nn::Parameters& parameters) : parameters_(parameters) {}

  std::unique_ptr<Workspace> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto workspace = std::move(idle_.back());
        idle_.pop_back();
        return workspace;
      }
    }
    return std::make_unique<Workspace>(parameters_);
  }
  void give_back(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(workspace));
  }

 private:
  const nn::Parameters& parameters_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace vitrine
