#!/usr/bin/env bash
# A session with the real window: started on a virtual display, used with mouse and keys as a person would, through the main job
# on the demo. Fails when the window does not answer in time. Needs Xvfb, xdotool and ImageMagick's import, and what any window needs.
#
# tests/window/session.sh PATH/TO/zeropoint
set -euo pipefail
program=${1:?give the program to test}

# How long a click or key may take to show, and the whole run of the demo, in seconds.
answer=10
run=60

# A configuration folder of its own: nothing remembered, nothing left behind.
folder=$(mktemp -d)
export XDG_CONFIG_HOME="$folder" XDG_DATA_HOME="$folder"
unset WAYLAND_DISPLAY WAYLAND_SOCKET
app= server=
finish() {
  status=$?
  if [ $status -ne 0 ]; then echo "The window said: $(cat "$folder/log" 2>/dev/null)" >&2; fi
  kill $app $server 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

# The server picks a free display and says which.
Xvfb -displayfd 3 -screen 0 1440x900x24 -nolisten tcp 3>"$folder/display" 2>/dev/null &
server=$!
for _ in $(seq 100); do [ -s "$folder/display" ] && break; sleep 0.1; done
export DISPLAY=":$(cat "$folder/display")"

"$program" 2>"$folder/log" &
app=$!

title() { xdotool getwindowname "$window" 2>/dev/null; }
fail() {
  echo "$1; the title is \"$(title)\"" >&2
  exit 1
}
# Waits until the title is like a pattern: "wait_for SECONDS PATTERN WHAT".
wait_for() {
  local end=$((SECONDS + $1))
  until [[ $(title) == $2 ]]; do
    kill -0 $app 2>/dev/null || fail "The program ended: $3"
    ((SECONDS < end)) || fail "No answer in $1 s: $3"
    sleep 0.05
  done
  echo "$3: $(title)"
}
picture() { import -window root -depth 8 rgb:- | md5sum; }
# Waits until the window looks other than it did: the title follows the program's state, this follows what is painted.
wait_change() {
  local end=$((SECONDS + answer))
  while [[ $(picture) == "$1" ]]; do
    ((SECONDS < end)) || fail "Nothing was painted in $answer s: $2"
  done
}
click() { xdotool mousemove "$1" "$2" click 1; }

window=
end=$((SECONDS + answer))
until window=$(xdotool search --onlyvisible --name '^Zeropoint$' 2>/dev/null | head -1) && [ -n "$window" ]; do
  kill -0 $app 2>/dev/null || fail "The program ended before it had a window"
  ((SECONDS < end)) || fail "No window in $answer s"
  sleep 0.05
done
# There is no window manager: without this, keys go nowhere.
xdotool windowfocus "$window"
wait_for $answer 'Zeropoint' 'The window opens'
sleep 0.5

# By mouse: open the demo, run every mode.
before=$(picture)
click 1010 335
wait_for $answer 'Compare – MNIST digits – Zeropoint' 'The demo opens by a click'
wait_change "$before" 'the demo opens'
sleep 0.5
# Without evaluation on 10,000 images it takes a tenth of the time; what is tested is the window. Typed into the palette.
before=$(picture)
xdotool key ctrl+k
wait_change "$before" 'the palette opens'
before=$(picture)
xdotool type --delay 30 'use no evaluation'
wait_change "$before" 'the palette finds it'
sleep 0.3
xdotool key Return
sleep 0.5
click 148 777
wait_for $answer '* of 5 – Compare – *' 'Run starts by a click'
# By keys, while jobs keep every core busy.
for tab in 2:Tensors 3:Layers 4:Samples 1:Compare; do
  before=$(picture)
  xdotool key "ctrl+${tab%%:*}"
  wait_for $answer "*${tab##*:} – MNIST digits – Zeropoint" "${tab##*:} shows by a key while jobs run"
  wait_change "$before" "${tab##*:} shows"
done
wait_for $run 'Compare – MNIST digits – Zeropoint' 'All experiments are done'
# Every tab by a click, now with figures.
for tab in 430:Tensors 495:Layers 565:Samples 350:Compare; do
  before=$(picture)
  click "${tab%%:*}" 64
  wait_for $answer "${tab##*:} – MNIST digits – Zeropoint" "${tab##*:} shows by a click"
  wait_change "$before" "${tab##*:} shows"
done
# The palette, typed into: leaves the window as it found it.
before=$(picture)
xdotool key ctrl+k
wait_change "$before" 'the palette opens'
xdotool type --delay 20 'show layers'
xdotool key Return
wait_for $answer 'Layers – MNIST digits – Zeropoint' 'The palette carries out what was typed'
kill -0 $app || fail 'The program ended'
if grep -qi panic "$folder/log"; then fail 'The program panicked'; fi
echo 'The window answered every time'
