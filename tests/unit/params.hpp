#pragma once

/// Parameters for one test.

#include "config/params.hpp"

/// Restores what the test changes.
class with_params
{
public:
    with_params() : saved_(bsl::param) {}
    ~with_params() { bsl::param = saved_; }

private:
    bsl::params saved_;
};
