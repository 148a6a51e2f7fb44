// Code shared by the two programs in this folder.
#pragma once

#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

// Reads values from the bytes of a file, from the start on.
struct reader {
	std::vector<char> bytes;
	size_t at = 0;

	explicit reader(const std::string &path) {
		std::ifstream f(path, std::ios::binary);
		if (!f) throw std::runtime_error("cannot read " + path);
		bytes.assign(std::istreambuf_iterator<char>(f), {});
	}
	template <class T> T *take(size_t n) {
		if (at + n * sizeof(T) > bytes.size()) throw std::runtime_error("the file is too short");
		T *p = reinterpret_cast<T *>(bytes.data() + at);
		at += n * sizeof(T);
		return p;
	}
};

inline double seconds() {
	return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
