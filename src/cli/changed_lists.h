// The load of `vitrine bench --changed`: known customers, in turn, buy what is on top of their
// list; as soon as that is acknowledged they are asked for again, and what they bought must be
// gone.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cli/load.h"
#include "engine/engine.h"

namespace vitrine {

class ChangedLists {
 public:
  // Of the users whose list is not empty; kUnavailable when all are. `n`: length of the lists.
  static Result<std::unique_ptr<ChangedLists>> of(const Engine& engine,
                                                  const std::vector<std::string>& users, int n,
                                                  const std::string& placement);
  // Lets the plan ask so. This outlives the load.
  void plan(LoadPlan& plan);

  std::size_t users() const { return users_.size(); }

 private:
  ChangedLists(int n, std::string placement) : n_(n), placement_(std::move(placement)) {}
  std::string purchase(std::uint64_t i);
  std::string request(std::uint64_t i, std::string_view acknowledgement) const;
  std::string check(std::uint64_t i, std::string_view answer);

  const int n_;
  const std::string placement_;
  std::vector<std::string> users_;
  std::mutex mutex_;
  std::vector<std::string> tops_;    // of each user's latest list
  std::vector<std::string> bought_;  // what each user bought last
};

}  // namespace vitrine
