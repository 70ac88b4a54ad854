// Prints a line at least every two seconds, so that a long run does not look like a hang. It
// measures nothing.

/** Reports the progress of a bench. */
export interface Progress {
  /** Starts a phase and prints its name. */
  phase(name: string): void;
  /** Prints one event. */
  note(text: string): void;
  stop(): void;
}

/** Starts the progress report. */
export function startProgress(): Progress {
  const began = performance.now();
  let phase = '';
  let saidAt = 0;
  const say = (text: string) => {
    saidAt = performance.now();
    console.log(`[${((saidAt - began) / 1000).toFixed(0).padStart(3)} s] ${text}`);
  };
  // Timers are late under load; a short interval still prints in time.
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
