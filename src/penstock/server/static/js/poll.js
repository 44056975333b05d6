// Asking again and again, as long as somebody looks.

/**
 * Call `ask(signal)` at once and `pause` milliseconds after each answer; not in a tab that nobody sees.
 * `ask` has to deal with its own failures. Answers `{now, stop}`.
 */
export function poll(ask, pause) {
  let request = new AbortController();
  let timer = null;
  let running = true;

  const now = async () => {
    request.abort();
    clearTimeout(timer);
    if (!running || document.hidden) return;
    request = new AbortController();
    const { signal } = request;
    await ask(signal);
    if (!signal.aborted && running) timer = setTimeout(now, pause);
  };
  const stop = () => {
    running = false;
    request.abort();
    clearTimeout(timer);
  };

  document.addEventListener("visibilitychange", now);
  now();
  return { now, stop };
}
