#include "nn/dense.h"

#include <algorithm>
#include <cmath>

namespace vitrine::nn {
namespace {

// A copy of x as a new matrix of the same shape.
Var copy_of(Tape& t, Var x) {
  const Var y = t.make(t.rows(x), t.cols(x));
  std::copy_n(t.value(x), t.size(x), t.value(y));
  return y;
}

void check_same(const Tape& t, Var a, Var b) {
  VT_CHECK(t.rows(a) == t.rows(b) && t.cols(a) == t.cols(b));
}

// Where a gradient with respect to rows of a table goes.
void leave_row_gradients(Tape& t, ParameterId table, std::span<const std::uint32_t> ids,
                         const float* values, float scale) {
  if (t.parameters().update(table) == Update::kRows) {
    t.add_row_gradients({table, ids, values, scale});
    return;
  }
  const Matrix& m = t.parameters()[table];
  t.operations().scatter(static_cast<std::int64_t>(ids.size()), m.cols(), values, ids.data(), scale,
                         t.parameter_gradient(table), m.stride());
}

}  // namespace

Var gather(Tape& t, ParameterId table, std::span<const std::uint32_t> ids, float scale) {
  const Matrix& m = t.parameters()[table];
  const Var y = t.make(static_cast<std::int64_t>(ids.size()), m.cols());
  t.operations().gather(t.rows(y), m.cols(), m.data(), m.stride(), ids.data(), scale, t.value(y));
  t.on_backward(y, [=](Tape& b) { leave_row_gradients(b, table, ids, b.gradient(y), scale); });
  return y;
}

Var bag(Tape& t, ParameterId table, std::span<const std::uint32_t> offsets,
        std::span<const std::uint32_t> ids, std::span<const float> weights) {
  const Matrix& m = t.parameters()[table];
  const Var y = t.zeros(static_cast<std::int64_t>(offsets.size()) - 1, m.cols());
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    for (std::uint32_t i = offsets[s]; i < offsets[s + 1]; ++i) {
      t.operations().add_scaled(m.cols(), weights[i], m.row(ids[i]).data(),
                                t.value(y) + static_cast<std::int64_t>(s) * m.cols());
    }
  }
  t.on_backward(y, [=](Tape& b) {
    const std::int64_t cols = b.cols(y);
    float* each = b.scratch(static_cast<std::int64_t>(ids.size()) * cols);
    std::fill_n(each, static_cast<std::int64_t>(ids.size()) * cols, 0.0f);
    for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
      const float* g = b.gradient(y) + static_cast<std::int64_t>(s) * cols;
      for (std::uint32_t i = offsets[s]; i < offsets[s + 1]; ++i) {
        b.operations().add_scaled(cols, weights[i], g, each + std::int64_t{i} * cols);
      }
    }
    leave_row_gradients(b, table, ids, each, 1);
  });
  return y;
}

Var linear(Tape& t, Var x, ParameterId weight, ParameterId bias) {
  const Matrix& w = t.parameters()[weight];
  VT_CHECK(t.cols(x) == w.rows());
  const Var y = t.make(t.rows(x), w.cols());
  t.operations().gemm(false, false, t.rows(x), w.cols(), w.rows(), 1, t.value(x), t.stride(x),
                      w.data(), w.stride(), 0, t.value(y), w.cols());
  if (bias.exists())
    t.operations().add_to_rows(t.rows(y), w.cols(), t.parameters()[bias].data(), t.value(y));
  t.on_backward(y, [=](Tape& b) {
    const Matrix& m = b.parameters()[weight];
    const Operations& ops = b.operations();
    const std::int64_t rows = b.rows(x), in = m.rows(), out = m.cols();
    const float* d_y = b.gradient(y);
    ops.gemm(false, true, rows, in, out, 1, d_y, out, m.data(), m.stride(), 1, b.gradient(x),
             b.stride(x));
    ops.gemm(true, false, in, out, rows, 1, b.value(x), b.stride(x), d_y, out, 1,
             b.parameter_gradient(weight), m.stride());
    if (bias.exists()) ops.sum_rows(rows, out, d_y, b.parameter_gradient(bias));
  });
  return y;
}

Var add_row(Tape& t, Var x, ParameterId row) {
  const Var y = copy_of(t, x);
  t.operations().add_to_rows(t.rows(x), t.cols(x), t.parameters()[row].data(), t.value(y));
  t.on_backward(y, [=](Tape& b) {
    b.operations().add_scaled(b.size(y), 1, b.gradient(y), b.gradient(x));
    b.operations().sum_rows(b.rows(y), b.cols(y), b.gradient(y), b.parameter_gradient(row));
  });
  return y;
}

Var products(Tape& t, Var a, Var b) {
  VT_CHECK(t.cols(a) == t.cols(b));
  const std::int64_t rows = t.rows(a), cols = t.rows(b), width = t.cols(a);
  const Var y = t.make(rows, cols);
  t.operations().gemm(false, true, rows, cols, width, 1, t.value(a), t.stride(a), t.value(b),
                      t.stride(b), 0, t.value(y), cols);
  t.on_backward(y, [=](Tape& s) {
    const Operations& ops = s.operations();
    ops.gemm(false, false, rows, width, cols, 1, s.gradient(y), cols, s.value(b), s.stride(b), 1,
             s.gradient(a), s.stride(a));
    ops.gemm(true, false, cols, width, rows, 1, s.gradient(y), cols, s.value(a), s.stride(a), 1,
             s.gradient(b), s.stride(b));
  });
  return y;
}

Var add(Tape& t, Var a, Var b) {
  check_same(t, a, b);
  const Var y = copy_of(t, a);
  t.operations().add_scaled(t.size(y), 1, t.value(b), t.value(y));
  t.on_backward(y, [=](Tape& s) {
    s.operations().add_scaled(s.size(y), 1, s.gradient(y), s.gradient(a));
    s.operations().add_scaled(s.size(y), 1, s.gradient(y), s.gradient(b));
  });
  return y;
}

Var multiply(Tape& t, Var a, Var b) {
  check_same(t, a, b);
  const Var y = t.zeros(t.rows(a), t.cols(a));
  t.operations().add_product(t.size(y), t.value(a), t.value(b), t.value(y));
  t.on_backward(y, [=](Tape& s) {
    s.operations().add_product(s.size(y), s.gradient(y), s.value(b), s.gradient(a));
    s.operations().add_product(s.size(y), s.gradient(y), s.value(a), s.gradient(b));
  });
  return y;
}

Var scale(Tape& t, Var x, float factor) {
  const Var y = t.zeros(t.rows(x), t.cols(x));
  t.operations().add_scaled(t.size(y), factor, t.value(x), t.value(y));
  t.on_backward(y, [=](Tape& b) {
    b.operations().add_scaled(b.size(y), factor, b.gradient(y), b.gradient(x));
  });
  return y;
}

Var activate(Tape& t, Activation kind, Var x) {
  const Var y = t.make(t.rows(x), t.cols(x));
  t.operations().activate(kind, t.size(x), t.value(x), t.value(y));
  t.on_backward(y, [=](Tape& b) {
    b.operations().activate_back(kind, b.size(x), b.value(x), b.value(y), b.gradient(y),
                                 b.gradient(x));
  });
  return y;
}

Var layer_norm(Tape& t, Var x, ParameterId gain, ParameterId bias) {
  const Var y = t.make(t.rows(x), t.cols(x));
  float* mean = t.scratch(t.rows(x));
  float* inverse = t.scratch(t.rows(x));
  t.operations().layer_norm(t.rows(x), t.cols(x), t.value(x), t.parameters()[gain].data(),
                            t.parameters()[bias].data(), t.value(y), mean, inverse);
  t.on_backward(y, [=](Tape& b) {
    b.operations().layer_norm_back(b.rows(x), b.cols(x), b.value(x), b.parameters()[gain].data(),
                                   mean, inverse, b.gradient(y), b.gradient(x),
                                   b.parameter_gradient(gain), b.parameter_gradient(bias));
  });
  return y;
}

Var normalize(Tape& t, Var x) {
  VT_CHECK(t.stride(x) == t.cols(x));
  const Var y = t.make(t.rows(x), t.cols(x));
  float* inverse = t.scratch(t.rows(x));
  t.operations().normalize(t.rows(x), t.cols(x), t.value(x), t.value(y), inverse);
  t.on_backward(y, [=](Tape& b) {
    b.operations().normalize_back(b.rows(x), b.cols(x), b.value(y), inverse, b.gradient(y),
                                  b.gradient(x));
  });
  return y;
}

Var add_dropout(Tape& t, Var x, Var y, float rate) {
  if (!t.training() || rate == 0) return add(t, x, y);
  check_same(t, x, y);
  const std::uint64_t key = t.draw();
  const Var z = copy_of(t, x);
  t.operations().add_dropout(t.size(y), key, rate, t.value(y), t.value(z));
  t.on_backward(z, [=](Tape& b) {
    b.operations().add_scaled(b.size(x), 1, b.gradient(z), b.gradient(x));
    b.operations().add_dropout(b.size(y), key, rate, b.gradient(z), b.gradient(y));
  });
  return z;
}

Var dropout(Tape& t, Var x, float rate) {
  if (!t.training() || rate == 0) return x;
  const std::uint64_t key = t.draw();
  const Var y = t.zeros(t.rows(x), t.cols(x));
  t.operations().add_dropout(t.size(x), key, rate, t.value(x), t.value(y));
  t.on_backward(y, [=](Tape& b) {
    b.operations().add_dropout(b.size(x), key, rate, b.gradient(y), b.gradient(x));
  });
  return y;
}

Var select(Tape& t, Var x, std::span<const std::uint32_t> rows) {
  const std::int64_t cols = t.cols(x);
  const Var y = t.make(static_cast<std::int64_t>(rows.size()), cols);
  t.operations().gather(t.rows(y), cols, t.value(x), t.stride(x), rows.data(), 1, t.value(y));
  t.on_backward(y, [=](Tape& b) {
    b.operations().scatter(b.rows(y), b.cols(y), b.gradient(y), rows.data(), 1, b.gradient(x),
                           b.stride(x));
  });
  return y;
}

Var concat(Tape& t, Var a, Var b) {
  VT_CHECK(t.rows(a) == t.rows(b));
  const std::int64_t left = t.cols(a), right = t.cols(b), cols = left + right;
  const Var y = t.make(t.rows(a), cols);
  for (std::int64_t r = 0; r < t.rows(a); ++r) {
    std::copy_n(t.value(a) + r * left, left, t.value(y) + r * cols);
    std::copy_n(t.value(b) + r * right, right, t.value(y) + r * cols + left);
  }
  t.on_backward(y, [=](Tape& s) {
    const Operations& ops = s.operations();
    for (std::int64_t r = 0; r < s.rows(y); ++r) {
      ops.add_scaled(left, 1, s.gradient(y) + r * cols, s.gradient(a) + r * left);
      ops.add_scaled(right, 1, s.gradient(y) + r * cols + left, s.gradient(b) + r * right);
    }
  });
  return y;
}

Var columns(Tape& t, Var x, std::int64_t from, std::int64_t count) {
  VT_CHECK(from >= 0 && from + count <= t.cols(x));
  const Var y = t.make(t.rows(x), count);
  const std::int64_t cols = t.cols(x);
  for (std::int64_t r = 0; r < t.rows(x); ++r) {
    std::copy_n(t.value(x) + r * cols + from, count, t.value(y) + r * count);
  }
  t.on_backward(y, [=](Tape& b) {
    for (std::int64_t r = 0; r < b.rows(y); ++r) {
      b.operations().add_scaled(count, 1, b.gradient(y) + r * count,
                                b.gradient(x) + r * cols + from);
    }
  });
  return y;
}

Var sample_normal(Tape& t, Var mean, Var log_variance) {
  check_same(t, mean, log_variance);
  if (!t.training()) return mean;
  const Random random(t.draw());
  const Var y = t.make(t.rows(mean), t.cols(mean));
  float* moved = t.scratch(t.size(y));  // deviation times draw
  for (std::int64_t i = 0; i < t.size(y); ++i) {
    moved[i] = std::exp(t.value(log_variance)[i] / 2) *
               static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
    t.value(y)[i] = t.value(mean)[i] + moved[i];
  }
  t.on_backward(y, [=](Tape& b) {
    b.operations().add_scaled(b.size(y), 1, b.gradient(y), b.gradient(mean));
    float* d = b.gradient(log_variance);
    for (std::int64_t i = 0; i < b.size(y); ++i) d[i] += b.gradient(y)[i] * moved[i] / 2;
  });
  return y;
}

}  // namespace vitrine::nn
