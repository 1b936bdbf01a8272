#include "model/proposals.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vitrine {
namespace {

constexpr std::size_t kRandomTrials = 10, kDraws = 8;
constexpr std::size_t kGoodMax = 25;  // trials that make l
constexpr std::uint64_t kAttempts = 100;

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

// Normal distributions cut off at 0 and 1, all of the same share.
class Mixture {
 public:
  explicit Mixture(std::vector<double> points) {
    std::sort(points.begin(), points.end());
    const auto count = static_cast<double>(points.size());
    const double narrowest = 1 / std::min(100.0, count + 2);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double before = points[i] - (i == 0 ? 0 : points[i - 1]);
      const double after = (i + 1 == points.size() ? 1 : points[i + 1]) - points[i];
      add(points[i], std::clamp(std::max(before, after), narrowest, 1.0));
    }
    add(0.5, 1);
  }

  double log_density(double x) const {
    double sum = 0;
    for (const Part& part : parts_) {
      const double z = (x - part.mean) / part.width;
      sum += std::exp(-z * z / 2) / (part.width * part.mass);
    }
    return std::log(sum / static_cast<double>(parts_.size()));
  }
  double draw(const Random& random) const {
    constexpr std::uint64_t kRejections = 64;
    const Part& part = parts_[random.below(0, parts_.size())];
    for (std::uint64_t i = 1; i <= kRejections; ++i) {
      const double x = part.mean + part.width * random.normal(i);
      if (x >= 0 && x < 1) return x;
    }
    return part.mean;
  }

 private:
  struct Part {
    double mean, width, mass;  // mass: of the whole normal distribution within [0, 1]
  };
  void add(double mean, double width) {
    const double mass = normal_cdf((1 - mean) / width) - normal_cdf(-mean / width);
    parts_.push_back({mean, width, mass});
  }
  std::vector<Part> parts_;
};

// Shares of the values of a list: their counts and one more each.
class Counts {
 public:
  Counts(const std::vector<double>& places, std::size_t values) : shares_(values, 1.0) {
    for (const double place : places) shares_[static_cast<std::size_t>(place)] += 1;
    for (double& share : shares_) share /= static_cast<double>(places.size() + values);
  }
  double draw(const Random& random) const {
    double left = random.uniform(0);
    std::size_t place = 0;
    while (place + 1 < shares_.size() && left >= shares_[place]) left -= shares_[place++];
    return static_cast<double>(place);
  }

 private:
  std::vector<double> shares_;
};

double best_draw(const Mixture& good, const Mixture& others, const Random& random) {
  double best = 0, best_ratio = 0;
  for (std::size_t i = 0; i < kDraws; ++i) {
    const double x = good.draw(random.fork(i));
    const double ratio = good.log_density(x) - others.log_density(x);
    if (i > 0 && !(ratio > best_ratio)) continue;
    best = x;
    best_ratio = ratio;
  }
  return best;
}

std::vector<double> random_point(const SearchSpace& space, const Random& random) {
  std::vector<double> point;
  for (std::size_t d = 0; d < space.dimensions.size(); ++d) {
    const Dimension& dimension = space.dimensions[d];
    const double u = random.uniform(d);
    point.push_back(
        dimension.listed() ? std::floor(u * static_cast<double>(dimension.values.size())) : u);
  }
  return point;
}

std::vector<double> tpe_point(const SearchSpace& space, const Random& random,
                              std::span<const Tried> tried) {
  std::vector<const Tried*> order;
  for (const Tried& t : tried) order.push_back(&t);
  std::stable_sort(order.begin(), order.end(),
                   [](const Tried* a, const Tried* b) { return a->value > b->value; });
  const std::size_t good = std::min(kGoodMax, (order.size() + 4) / 5);
  std::vector<double> point;
  for (std::size_t d = 0; d < space.dimensions.size(); ++d) {
    const Dimension& dimension = space.dimensions[d];
    std::vector<double> l, g;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Value* value = order[i]->settings.find(dimension.key);
      if (value != nullptr) (i < good ? l : g).push_back(dimension.coordinate_of(*value));
    }
    const Random own = random.fork(d);
    // The largest share of a list would be tried for ever: there the draw alone decides.
    point.push_back(dimension.listed()
                        ? Counts(l, dimension.values.size()).draw(own)
                        : best_draw(Mixture(std::move(l)), Mixture(std::move(g)), own));
  }
  return point;
}

}  // namespace

std::optional<Table> propose(Proposal how, const SearchSpace& space, const Random& random,
                             std::uint64_t trial, std::span<const Tried> tried) {
  for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    const Random own = random.fork(trial).fork(attempt);
    const bool guided = how == Proposal::kTpe && tried.size() >= kRandomTrials;
    // Where good trials lie close together every draw may have been tried; chance leads out.
    const bool informed = guided && attempt < kAttempts / 2;
    Table settings =
        space.settings_at(informed ? tpe_point(space, own, tried) : random_point(space, own));
    const auto same = [&](const Tried& t) { return t.settings == settings; };
    if (std::none_of(tried.begin(), tried.end(), same)) return settings;
  }
  return {};
}

}  // namespace vitrine
