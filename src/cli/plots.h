// Plots as SVG, drawn by ourselves: one file each, no fonts or scripts from elsewhere, readable on
// white paper and in a browser.
#pragma once

#include <string>
#include <vector>

namespace vitrine {

// A row of a dot plot: a value, its interval where low < high.
struct PlotDot {
  std::string label;
  double value = 0, low = 0, high = 0;
  bool quoted = false;  // a published figure: drawn hollow
};
struct PlotPoint {
  double x = 0, y = 0, low = 0, high = 0;
};
struct PlotSeries {
  std::string label;
  std::vector<PlotPoint> points;  // x ascending
};

// One row per dot, in the given order, top down; the interval as a bar. The best of ours stands
// out. `metric` names the axis.
std::string dot_plot(const std::string& title, const std::string& metric,
                     const std::vector<PlotDot>& dots);

// Lines over a logarithmic x axis whose ticks are the points' own x, labelled with `x_labels` (as
// many as the longest series has points). Intervals are bands where there are few lines; lines are
// named at their ends.
std::string curve_plot(const std::string& title, const std::string& x_title,
                       const std::vector<std::string>& x_labels, const std::string& metric,
                       const std::vector<PlotSeries>& series);

}  // namespace vitrine
