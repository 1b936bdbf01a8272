// The loop of a model that is fitted in steps. It joins the monitor (progress, cancel, finish
// early) and the validator (does it still improve?), and keeps the best state by making a finished
// model of it:
//
//   Epochs epochs(run, set.validator, "als", options.epochs, [&] { return finished(); });
//   while (epochs.next()) {
//     solve_users();
//     VT_TRY(epochs.part(1, 2));  // of a long epoch: progress, and the place to cancel
//     solve_items();
//   }
//   return epochs.model();
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "model/validator.h"

namespace vitrine {

class Epochs {
 public:
  // Makes a finished model of the present state, which goes on changing afterwards.
  using Finish = std::function<Result<std::unique_ptr<const Model>>()>;

  // `validator` may be null. It is asked after every `measure_every`-th epoch and after the last.
  // At least one epoch runs, unless somebody cancels.
  Epochs(const Run& run, Validator* validator, std::string_view name, int epochs, Finish finish,
         int measure_every = 1);

  // Before the first next(): `done` epochs were completed earlier, and `best` (or null) was the
  // best of them.
  void resume(int done, std::unique_ptr<const Model> best);
  const Model* best() const { return best_.get(); }  // that was measured so far; null: none

  // True: fit another epoch. False: that was all, for whatever reason; model() tells.
  bool next();
  // `done` of `of` parts of the present epoch are done. kCancelled when the monitor said so; a wish
  // to finish early waits for the end of the epoch.
  Status part(int done, int of);
  int done() const { return done_; }  // epochs completed

  // The best state that was measured, or the last where none was. kCancelled, or the error of the
  // validator or of finishing. Once, after next() said false.
  Result<std::unique_ptr<const Model>> model();

 private:
  Verdict advance(double done);
  bool measure();  // false: stop

  const Run& run_;
  Validator* validator_;
  const int epochs_, measure_every_;
  const Finish finish_;
  Stage stage_;
  int first_ = 0;  // epoch of this run
  int done_ = -1;  // first_ - 1: not begun
  bool early_ = false;
  Status failed_;
  std::unique_ptr<const Model> best_;
};

}  // namespace vitrine
