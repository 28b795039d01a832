#pragma once

/// Signals, for those who ask for reports by one.

namespace bsl::host
{

/// Has `handler` run when the signal comes, unless the program has set or sets something itself.  False
/// if there is no such signal, or something is set already.
bool install_signal_handler(int signal, void (*handler)());

} // namespace bsl::host
