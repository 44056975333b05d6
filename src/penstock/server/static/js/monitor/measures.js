// What GET /debug/memory answers, in the words of this page. Its keys are those of stream-download, which was written in Go.

const NUMBER = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

/** 1 MB is 1,048,576 bytes here, as the keys have it. */
export function megabytes(value, short = false) {
  if (short) return NUMBER.format(value);
  return `${value.toFixed(2)} MB`;
}

export function whole(value) {
  return Number.isInteger(value) ? NUMBER.format(value) : "";
}

/** In the order of the file that is saved. */
export const MEASURES = {
  alloc_mb: { label: "Allocated", format: megabytes, meaning: "What is handed out by malloc now: buffers, and objects above 512 bytes. Python keeps smaller ones in a heap of its own." },
  heap_alloc_mb: { label: "Heap allocated", format: megabytes, meaning: "The same: outside malloc's heap nothing is counted as allocated." },
  sys_mb: { label: "Resident (RSS)", format: megabytes, meaning: "All memory that the process has in RAM now, with the files that it maps." },
  total_alloc_mb: { label: "Taken in all", format: megabytes, meaning: "Memory that the kernel has given the process since its start. It only ever grows, also when all of it was given back." },
  num_gc: { label: "GC cycles", format: whole, meaning: "Collections by Python's garbage collector since the start, of all generations." },
  goroutines: { label: "Tasks and threads", format: whole, meaning: "asyncio tasks and threads that there are now. Each transfer has some." },
  heap_inuse_mb: { label: "Heap in use", format: megabytes, meaning: "The private part without what malloc keeps free for later." },
  heap_sys_mb: { label: "Private memory", format: megabytes, meaning: "The part of the resident memory that is the process's own: objects, buffers, stacks." },
};

/** Those that have a card. */
export const METERS = ["alloc_mb", "heap_alloc_mb", "sys_mb", "total_alloc_mb", "num_gc", "goroutines"];
