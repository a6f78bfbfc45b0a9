#pragma once

namespace stest::watch {

/// Notes whether this process leads a session only to have a terminal. `setpgid` and `setpgrp` then succeed
/// if they would make it lead its group, as they do in a process that leads no session.
void set_leads_for_terminal(bool on);

}  // namespace stest::watch
