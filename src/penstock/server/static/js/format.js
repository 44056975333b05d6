// Numbers and times as people read them. Sizes are decimal: 1 MB is 1,000,000 bytes.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const COUNT = new Intl.NumberFormat();

/** `1234567` → `1.23 MB`: three digits, or all of them below 1 kB. */
export function bytes(value) {
  let unit = 0;
  let scaled = value;
  while (scaled >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${scaled.toFixed(digits)} ${UNITS[unit]}`;
}

/** Bytes per second. */
export function rate(value) {
  return `${bytes(value)}/s`;
}

/** Seconds → `8 s`, `4:10`, `2 h 05 min`, `3 days`. */
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  const twoDigits = (value) => String(Math.floor(value)).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}:${twoDigits(whole % 60)}`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h ${twoDigits((whole % 3600) / 60)} min`;
  return `${Math.round(whole / 86400)} days`;
}

/** Short facts in a row, broken between them only; what is empty is left out. */
export function facts(...parts) {
  return parts.filter(Boolean).map((part) => part.replaceAll(" ", "\u00a0")).join(" · ");
}

/** An RFC 3339 time in the reader's own zone and manner. */
export function moment(text) {
  return DATE.format(new Date(text));
}

export function count(value) {
  return COUNT.format(value);
}

/** `plural(2, "file")` → `2 files`. */
export function plural(value, noun, nouns = `${noun}s`) {
  return `${count(value)} ${value === 1 ? noun : nouns}`;
}

/** Of two amounts, in whole percent; a thing of no size is complete only when it is done. */
export function percent(part, whole) {
  return whole > 0 ? Math.min(100, Math.floor((part / whole) * 100)) : 0;
}

/** The server's details begin in lower case, to be put into a sentence; here they stand alone. What begins with a URL stays. */
export function sentence(text) {
  const whole = /^[a-z]+\b(?![:/.])/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
