#pragma once

/// The kernel's __init: a function that runs once, when the process starts, lies beside the others that do.
#define BSL_INIT [[gnu::section(".text.startup")]]
