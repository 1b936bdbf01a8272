#include "cli/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/text_table.h"

namespace vitrine {
namespace {

constexpr double kWidth = 820, kRowHeight = 30, kTop = 72, kBottom = 58, kRight = 24;
constexpr double kLetter = 7.2;       // a generous width of a letter at 13 px
constexpr std::size_t kBandsMax = 3;  // more on top of one another are mud
constexpr const char* kInk = "#1f2937";
constexpr const char* kFaint = "#6b7280";
constexpr const char* kGrid = "#e5e7eb";
constexpr const char* kBest = "#b45309";
constexpr const char* kOurs = "#1d4ed8";
// Told apart by people with any colour vision (Okabe and Ito 2008), yellow left out.
constexpr const char* kLines[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                  "#56b4e9", "#e69f00", "#000000"};

// What XML 1.0 can hold: control characters are left out.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)
      out += c;
  }
  return out;
}

class Svg {
 public:
  Svg(double width, double height) : width_(width), height_(height) {}

  void text(double x, double y, std::string_view words, const char* anchor = "start",
            const char* colour = kInk, int size = 13, bool bold = false) {
    body_ += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" fill=\"{}\" font-size=\"{}\"{}>{}"
        "</text>\n",
        x, y, anchor, colour, size, bold ? " font-weight=\"600\"" : "", escaped(words));
  }
  void line(double x1, double y1, double x2, double y2, const char* colour, double width) {
    body_ += fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
        "stroke-width=\"{}\" stroke-linecap=\"round\"/>\n",
        x1, y1, x2, y2, colour, width);
  }
  void dot(double x, double y, double radius, const char* fill, const char* stroke) {
    body_ += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\" stroke=\"{}\" "
        "stroke-width=\"1.8\"/>\n",
        x, y, radius, fill, stroke);
  }
  void path(const std::string& data, const char* stroke, const char* fill, double opacity) {
    body_ += fmt::format(
        "<path d=\"{}\" fill=\"{}\" fill-opacity=\"{}\" stroke=\"{}\" stroke-width=\"2.2\" "
        "stroke-linejoin=\"round\"/>\n",
        data, fill, opacity, stroke);
  }
  std::string str() const {
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
        "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', "
        "sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{2}</svg>\n",
        width_, height_, body_);
  }

 private:
  double width_, height_;
  std::string body_;
};

// Round numbers that cover [low, high], about five of them.
std::vector<double> ticks(double low, double high) {
  constexpr double kNarrowest = 1e-9;  // beside the values: below it they are one
  if (!(high - low > kNarrowest * std::max(1.0, std::fabs(low)))) high = low + 1;
  const double rough = (high - low) / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double digit = rough / power;
  const double step = power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
  std::vector<double> out;
  for (double i = std::floor(low / step); i * step <= high + step * 0.999; ++i)
    out.push_back(i * step);
  return out;
}

std::string tick_text(double value, double step) {
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return fmt::format("{:.{}f}", std::fabs(value) < step / 2 ? 0.0 : value, digits);
}

// A linear axis between round numbers.
struct Axis {
  std::vector<double> at;
  double from, to;  // in pixels
  double place(double value) const {
    return from + (value - at.front()) / (at.back() - at.front()) * (to - from);
  }
  std::string label(std::size_t i) const { return tick_text(at[i], at[1] - at[0]); }
};

double label_width(std::size_t letters) { return kLetter * static_cast<double>(letters); }

void draw_title(Svg& svg, const std::string& title) {
  svg.text(24, 34, shorten(title, 96), "start", kInk, 16, true);
}

std::size_t best_of(const std::vector<PlotDot>& dots, bool lower) {
  std::size_t best = dots.size();
  for (std::size_t i = 0; i < dots.size(); ++i) {
    if (dots[i].quoted) continue;
    if (best == dots.size() ||
        (lower ? dots[i].value < dots[best].value : dots[i].value > dots[best].value))
      best = i;
  }
  return best;
}

bool lower_is_better(std::string_view metric) {
  return metric.starts_with("rmse") || metric.starts_with("mae");
}

// Where labels go so that no two are closer than `gap`: moved as little as top-down order allows.
std::vector<double> spread_out(std::vector<double> wanted, double gap) {
  for (std::size_t i = 1; i < wanted.size(); ++i)
    wanted[i] = std::max(wanted[i], wanted[i - 1] + gap);
  return wanted;
}

std::string polyline(const std::vector<std::pair<double, double>>& points) {
  std::string data;
  for (const auto& [x, y] : points)
    data += fmt::format("{}{:.1f} {:.1f} ", data.empty() ? "M" : "L", x, y);
  return data;
}

}  // namespace

std::string dot_plot(const std::string& title, const std::string& metric,
                     const std::vector<PlotDot>& dots) {
  std::size_t letters = 0;
  double low = dots.empty() ? 0 : dots[0].value, high = low;
  for (const PlotDot& dot : dots) {
    letters = std::max(letters, text_width(dot.label));
    low = std::min({low, dot.value, dot.low < dot.high ? dot.low : dot.value});
    high = std::max({high, dot.value, dot.low < dot.high ? dot.high : dot.value});
  }
  const double left = 40 + label_width(std::min<std::size_t>(letters, 44));
  const double bottom = kTop + kRowHeight * static_cast<double>(dots.size());
  Svg svg(kWidth, bottom + kBottom);
  draw_title(svg, title);
  const Axis axis{ticks(low, high), left, kWidth - kRight - 70};
  for (std::size_t i = 0; i < axis.at.size(); ++i) {
    const double x = axis.place(axis.at[i]);
    svg.line(x, kTop - 6, x, bottom + 4, kGrid, 1);
    svg.text(x, bottom + 22, axis.label(i), "middle", kFaint, 12);
  }
  svg.text((axis.from + axis.to) / 2, bottom + 44, metric, "middle", kFaint, 13);
  const std::size_t best = best_of(dots, lower_is_better(metric));
  for (std::size_t i = 0; i < dots.size(); ++i) {
    const PlotDot& dot = dots[i];
    const double y = kTop + kRowHeight * (static_cast<double>(i) + 0.5);
    const char* colour = dot.quoted ? kFaint : i == best ? kBest : kOurs;
    svg.text(left - 16, y + 4.5, shorten(dot.label, 44), "end", dot.quoted ? kFaint : kInk, 13,
             i == best);
    if (dot.low < dot.high) svg.line(axis.place(dot.low), y, axis.place(dot.high), y, colour, 3);
    svg.dot(axis.place(dot.value), y, 5, dot.quoted ? "#ffffff" : colour, colour);
    svg.text(kWidth - kRight, y + 4.5, fmt::format("{:.4f}", dot.value), "end",
             dot.quoted ? kFaint : kInk, 13, i == best);
  }
  return svg.str();
}

std::string curve_plot(const std::string& title, const std::string& x_title,
                       const std::vector<std::string>& x_labels, const std::string& metric,
                       const std::vector<PlotSeries>& series) {
  constexpr double kHeight = 470, kPlotBottom = kHeight - 62;
  std::size_t letters = 4;
  double low = 0, high = 0, first = 0, last = 0;
  bool any = false;
  const PlotSeries* longest = nullptr;
  for (const PlotSeries& line : series) {
    letters = std::max(letters, std::min<std::size_t>(text_width(line.label), 28));
    if (longest == nullptr || line.points.size() > longest->points.size()) longest = &line;
    for (const PlotPoint& p : line.points) {
      const double bottom = p.low < p.high ? p.low : p.y, top = p.low < p.high ? p.high : p.y;
      low = any ? std::min(low, bottom) : bottom, high = any ? std::max(high, top) : top;
      first = any ? std::min(first, p.x) : p.x, last = any ? std::max(last, p.x) : p.x;
      any = true;
    }
  }
  Svg svg(kWidth, kHeight);
  draw_title(svg, title);
  const double left = 76, right = kWidth - kRight - 14 - label_width(letters);
  const Axis axis{ticks(low, high), kPlotBottom, kTop};
  const double reach = last > first && first > 0 ? std::log(last / first) : 1;
  const auto place = [&](double x) {
    const double share = x > 0 && first > 0 ? std::log(x / first) / reach : 0;
    return left + 14 + share * (right - left - 28);
  };
  for (std::size_t i = 0; i < axis.at.size(); ++i) {
    const double y = axis.place(axis.at[i]);
    svg.line(left, y, right, y, kGrid, 1);
    svg.text(left - 10, y + 4, axis.label(i), "end", kFaint, 12);
  }
  svg.text(24, kTop - 16, metric, "start", kFaint, 13);
  for (std::size_t i = 0; longest != nullptr && i < longest->points.size(); ++i) {
    const double x = place(longest->points[i].x);
    svg.line(x, kPlotBottom, x, kPlotBottom + 5, kFaint, 1);
    if (i < x_labels.size()) svg.text(x, kPlotBottom + 22, x_labels[i], "middle", kFaint, 12);
  }
  svg.text((left + right) / 2, kPlotBottom + 46, x_title, "middle", kFaint, 13);
  std::vector<std::size_t> order;  // by where the lines end, top down
  for (std::size_t s = 0; s < series.size(); ++s) {
    if (series[s].points.empty()) continue;
    order.push_back(s);
    std::vector<std::pair<double, double>> line, band;
    for (const PlotPoint& p : series[s].points) {
      line.emplace_back(place(p.x), axis.place(p.y));
      band.emplace_back(place(p.x), axis.place(p.low < p.high ? p.high : p.y));
    }
    for (std::size_t i = series[s].points.size(); i > 0; --i) {
      const PlotPoint& p = series[s].points[i - 1];
      band.emplace_back(place(p.x), axis.place(p.low < p.high ? p.low : p.y));
    }
    const char* colour = kLines[s % std::size(kLines)];
    if (series.size() <= kBandsMax) svg.path(polyline(band) + "Z", "none", colour, 0.10);
    svg.path(polyline(line), colour, "none", 0);
    for (const auto& [x, y] : line) svg.dot(x, y, 3.2, colour, "#ffffff");
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return series[a].points.back().y > series[b].points.back().y;
  });
  std::vector<double> wanted;
  for (const std::size_t s : order) wanted.push_back(axis.place(series[s].points.back().y));
  const std::vector<double> placed = spread_out(wanted, 17);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const PlotSeries& line = series[order[i]];
    svg.text(place(line.points.back().x) + 14, placed[i] + 4.5, shorten(line.label, 28), "start",
             kLines[order[i] % std::size(kLines)], 13, true);
  }
  return svg.str();
}

}  // namespace vitrine
