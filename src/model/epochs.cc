#include "model/epochs.h"

#include <utility>

namespace vitrine {
namespace {

constexpr int kUnits = 100;  // steps that the monitor sees of an epoch

}  // namespace

Epochs::Epochs(const Run& run, Validator* validator, std::string_view name, int epochs,
               Finish finish, int measure_every)
    : run_(run),
      validator_(validator),
      epochs_(epochs),
      measure_every_(measure_every),
      finish_(std::move(finish)),
      stage_(run.monitor, name, static_cast<std::uint64_t>(epochs) * kUnits, "steps") {}

Verdict Epochs::advance(double done) {
  const Verdict verdict = stage_.advance(static_cast<std::uint64_t>(done * kUnits));
  if (verdict == Verdict::kFinish) early_ = true;
  if (verdict == Verdict::kCancel) failed_ = Error{Code::kCancelled, "cancelled"};
  return verdict;
}

void Epochs::resume(int done, std::unique_ptr<const Model> best) {
  first_ = done;
  done_ = done - 1;
  best_ = std::move(best);
}

bool Epochs::next() {
  if (!failed_.ok()) return false;
  ++done_;
  if (advance(done_) == Verdict::kCancel) return false;
  if (done_ == first_) return true;
  const bool last = done_ == epochs_;
  if (validator_ != nullptr && !early_ && (last || done_ % measure_every_ == 0)) {
    if (!measure()) return false;
  }
  return !last && !early_;
}

Status Epochs::part(int done, int of) {
  advance(done_ + static_cast<double>(done) / of);
  return failed_;
}

bool Epochs::measure() {
  auto model = finish_();
  if (!model.ok()) {
    failed_ = model.error();
    return false;
  }
  const auto answer = validator_->measure(run_, **model);
  if (!answer.ok()) {
    failed_ = answer.error();
    return false;
  }
  if (answer->best) best_ = std::move(model).value();
  return answer->go_on;
}

Result<std::unique_ptr<const Model>> Epochs::model() {
  if (!failed_.ok()) return failed_.error();
  if (best_ != nullptr) return std::move(best_);
  return finish_();
}

}  // namespace vitrine
