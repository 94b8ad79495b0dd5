# Running under the thread sanitizer (see below for what it needs).
set(gs_launcher "")
