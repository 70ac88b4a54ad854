// A line at least every two seconds, so that nobody takes a long run for a hanging one. Knows
// nothing of what runs.

/** What is told while a bench runs. */
export interface Progress {
  /** Names what runs from now on, and says it at once. */
  phase(name: string): void;
  /** Says one thing that has just happened. */
  note(text: string): void;
  stop(): void;
}

/** Starts telling. */
export function startProgress(): Progress {
  const began = performance.now();
  let phase = '';
  let saidAt = 0;
  const say = (text: string) => {
    saidAt = performance.now();
    console.log(`[${((saidAt - began) / 1000).toFixed(0).padStart(3)} s] ${text}`);
  };
  // Under load a timer is late: asked often, it still speaks in time.
  const timer = setInterval(() => {
    if (performance.now() - saidAt >= 1_500) say(`${phase} …`);
  }, 250);
  return {
    phase(name) {
      phase = name;
      say(name);
    },
    note: (text) => say(`  ${text}`),
    stop: () => clearInterval(timer),
  };
}
