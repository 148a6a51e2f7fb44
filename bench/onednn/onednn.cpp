// A network with oneDNN's primitives (version 2.x), in int8 or float32. It is timed like the other
// runtimes of `bench time` and prints the same line.
//
//	onednn DIR THREADS          with OMP_NUM_THREADS=THREADS
//	onednn DIR THREADS float
//
// oneDNN chooses every layout itself (format_tag::any). ReLU, ReLU6 and requantizing are fused into
// the convolutions. `bench make` writes DIR/onednn.bin and DIR/onednn-float.bin; bench/arrays.go
// has their layout.
#include "common.h"

#include <dnnl.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <unordered_map>

using namespace dnnl;
using type = memory::data_type;
using tag = memory::format_tag;

enum kind { conv, depthwise, max_pool, dense, top_mean };
enum activation { linear, relu, relu6 };

struct layer {
	int32_t kind, in_side, in, out_side, out, kernel, stride, pad, act, top;
};

class network {
	engine cpu{engine::kind::cpu, 0};
	stream order{cpu};
	std::vector<primitive> steps;
	std::vector<std::unordered_map<int, memory>> args;
	reader weights;
	bool bytes; // int8
	memory x;   // the activation that the next layer reads
	std::vector<float> best;
	int32_t highest = 0;
	float scale = 1;

	void add(primitive p, std::unordered_map<int, memory> a) {
		steps.push_back(p);
		args.push_back(std::move(a));
	}

	// Steps that a layer needs only before its first run.
	memory prepared(memory src, const memory::desc &want) {
		memory dst(want, cpu);
		reorder(src, dst).execute(order, src, dst);
		order.wait();
		return dst;
	}

	// Steps for every image.
	memory laid_out(memory src, const memory::desc &want) {
		if (src.get_desc() == want) return src;
		memory dst(want, cpu);
		add(reorder(src, dst), {{DNNL_ARG_FROM, src}, {DNNL_ARG_TO, dst}});
		return dst;
	}

	// int8: sum * scale[c], then ReLU and rounding to a byte, which saturates as ReLU6 does.
	primitive_attr fused(const layer &l, const float *mult) {
		primitive_attr a;
		post_ops ops;
		if (bytes) a.set_output_scales(1 << 1, std::vector<float>(mult, mult + l.out));
		if (!bytes && l.act == relu6) ops.append_eltwise(1.f, algorithm::eltwise_clip, 0.f, 6.f);
		else if (l.act != linear) ops.append_eltwise(1.f, algorithm::eltwise_relu, 0.f, 0.f);
		a.set_post_ops(ops);
		return a;
	}

	struct trained {
		char *w;
		char *b;
		const float *mult;
	};
	trained take(const layer &l, long per) {
		trained t{};
		t.w = bytes ? weights.take<char>(l.out * per) : reinterpret_cast<char *>(weights.take<float>(l.out * per));
		t.b = reinterpret_cast<char *>(weights.take<int32_t>(l.out)); // int32 or float32
		if (bytes) t.mult = weights.take<float>(l.out);
		return t;
	}

	type byte() { return bytes ? type::u8 : type::f32; }
	type weight() { return bytes ? type::s8 : type::f32; }
	type sum() { return bytes ? type::s32 : type::f32; }
	// Layers without an activation are the last ones; their sums are the result.
	type out(const layer &l) { return l.act == linear && !means(l) ? type::f32 : byte(); }
	static bool means(const layer &l) { return l.kind == depthwise && l.act == linear; }

	void convolve(const layer &l) {
		bool each = l.kind == depthwise;
		long k = l.kernel, in = each ? 1 : l.in, after = (l.out_side - 1) * l.stride + k - l.in_side - l.pad;
		trained t = take(l, k * k * in);
		memory::dims shape = each ? memory::dims{l.out, 1, 1, k, k} : memory::dims{l.out, in, k, k};
		memory::desc bias({l.out}, sum(), tag::x);
		convolution_forward::primitive_desc p({prop_kind::forward_inference, algorithm::convolution_direct,
			{{1, l.in, l.in_side, l.in_side}, byte(), tag::any}, {shape, weight(), tag::any}, bias,
			{{1, l.out, l.out_side, l.out_side}, out(l), tag::any}, {l.stride, l.stride}, {l.pad, l.pad},
			{after, after}}, fused(l, t.mult), cpu);
		memory given({shape, weight(), each ? tag::goihw : tag::ohwi}, cpu, t.w);
		memory y(p.dst_desc(), cpu);
		x = laid_out(x, p.src_desc());
		add(convolution_forward(p), {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, prepared(given, p.weights_desc())},
			{DNNL_ARG_BIAS, prepared(memory(bias, cpu, t.b), bias)}, {DNNL_ARG_DST, y}});
		x = y;
	}

	void pool(const layer &l) {
		long after = (l.out_side - 1) * l.stride + l.kernel - l.in_side - l.pad;
		memory::desc y({1, l.out, l.out_side, l.out_side}, byte(), tag::any);
		pooling_forward::primitive_desc p({prop_kind::forward_inference, algorithm::pooling_max, x.get_desc(), y,
			{l.stride, l.stride}, {l.kernel, l.kernel}, {l.pad, l.pad}, {after, after}}, cpu);
		memory dst(p.dst_desc(), cpu);
		add(pooling_forward(p), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, dst}});
		x = dst;
	}

	void multiply(const layer &l) {
		if (x.get_desc().dims().size() == 4) { // an activation of one position
			memory flat = laid_out(x, {{1, l.in, 1, 1}, byte(), tag::nhwc});
			x = memory({{1, l.in}, byte(), tag::nc}, cpu, flat.get_data_handle());
		}
		trained t = take(l, l.in);
		memory::desc bias({l.out}, sum(), tag::x);
		inner_product_forward::primitive_desc p({prop_kind::forward_inference, {{1, l.in}, byte(), tag::nc},
			{{l.out, l.in}, weight(), tag::any}, bias, {{1, l.out}, out(l), tag::nc}}, fused(l, t.mult), cpu);
		memory given({{l.out, l.in}, weight(), tag::oi}, cpu, t.w);
		memory y(p.dst_desc(), cpu);
		add(inner_product_forward(p), {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, prepared(given, p.weights_desc())},
			{DNNL_ARG_BIAS, prepared(memory(bias, cpu, t.b), bias)}, {DNNL_ARG_DST, y}});
		x = y;
	}

	// The scores in their order, whatever layout oneDNN chose for them.
	void choose(const layer &l) {
		x = laid_out(x, {{1, 1, l.in_side, l.in_side}, type::f32, tag::nchw});
		best.resize(l.in_side * l.in_side);
		highest = l.top;
	}

public:
	network(const std::string &dir, bool bytes)
		: weights(dir + (bytes ? "/onednn.bin" : "/onednn-float.bin")), bytes(bytes) {
		long n = *weights.take<int32_t>(1);
		for (long i = 0; i < n; i++) {
			layer l = *weights.take<layer>(1);
			if (i == 0) x = memory({{1, l.in, l.in_side, l.in_side}, byte(), tag::nhwc}, cpu);
			if (i == 0) load(dir);
			switch (l.kind) {
			case conv: case depthwise: convolve(l); break;
			case max_pool: pool(l); break;
			case dense: multiply(l); break;
			case top_mean: choose(l); break;
			default: throw std::runtime_error("unknown layer");
			}
		}
		scale = *weights.take<float>(1);
	}

	void load(const std::string &dir) {
		size_t n = x.get_desc().dims()[2] * x.get_desc().dims()[3];
		reader file(dir + "/pixels.bin");
		auto *pixels = file.take<uint8_t>(n);
		for (size_t i = 0; i < n; i++) {
			if (bytes) static_cast<uint8_t *>(x.get_data_handle())[i] = pixels[i];
			else static_cast<float *>(x.get_data_handle())[i] = pixels[i] / 255.f;
		}
	}

	float run() {
		for (size_t i = 0; i < steps.size(); i++) steps[i].execute(order, args[i]);
		order.wait();
		auto *y = static_cast<float *>(x.get_data_handle());
		if (!highest) return *y * scale;
		std::copy(y, y + best.size(), best.begin());
		std::nth_element(best.begin(), best.begin() + highest - 1, best.end(), std::greater<float>());
		double sum = 0;
		for (int32_t i = 0; i < highest; i++) sum += best[i];
		return sum * scale;
	}
};

int main(int argc, char **argv) try {
	bool floats = argc == 4 && std::string(argv[3]) == "float";
	if (argc != 3 && !floats) throw std::runtime_error("usage: onednn DIR THREADS [float]");
	network n(argv[1], !floats);
	const double warm_up = 0.15, timed = 0.5;
	float logit = 0;
	for (double began = seconds(); seconds() - began < warm_up;) logit = n.run();
	std::vector<double> ms;
	for (double began = seconds(); seconds() - began < timed;) {
		double t = seconds();
		logit = n.run();
		ms.push_back((seconds() - t) * 1e3);
	}
	std::sort(ms.begin(), ms.end());
	std::printf("%.4f %.4f %zu %.9g\n", ms[ms.size() / 2], ms[0], ms.size(), logit);
} catch (const std::exception &e) {
	std::fprintf(stderr, "onednn: error: %s\n", e.what());
	return 1;
}
