import type { FallbackEvent } from 'ductape-fallback';

/** Says who did what. */
export type Tell = (who: string, what: string) => void;

/** Prints who did what, and when (in milliseconds since it was started), and keeps count of what was promised. */
export function startTimeline() {
  const start = performance.now();
  const promises: { readonly what: string; readonly isKept: boolean }[] = [];
  const heard: FallbackEvent[] = [];

  const tell: Tell = (who, what) => {
    const at = Math.round(performance.now() - start);
    console.log(`${String(at).padStart(5)} ms  ${who.padEnd(9)} ${what}`);
  };

  return {
    tell,
    act: (title: string) => console.log(`\n${title}`),
    /** What the engine said so far. */
    heard: heard as readonly FallbackEvent[],
    /** For `ductape.fallback.on('*')`. */
    listener(event: FallbackEvent) {
      heard.push(event);
      const what = inWords(event);
      const order = event.id?.startsWith('order-') ? `${event.id}: ` : '';
      if (what) tell('engine', order + what);
    },
    promise: (what: string, isKept: boolean) => void promises.push({ what, isKept }),
    /** Prints the promises; returns how many were broken. */
    summary(): number {
      const kept = promises.filter(({ isKept }) => isKept).length;
      console.log(`\nThe day in short: ${kept} of ${promises.length} promises kept`);
      for (const { what, isKept } of promises) console.log(`  ${isKept ? '✓' : '✗'} ${what}`);
      return promises.length - kept;
    },
  };
}

/** Most of what the engine tells; the rest would be too much of it here. */
function inWords(event: FallbackEvent): string | undefined {
  switch (event.type) {
    case 'triggered':
      return event.probe ? 'fallback triggered, as the one probe' : 'fallback triggered';
    case 'attempt-ended':
      return `${event.provider}, attempt ${event.attempt}: ${event.outcome}${reasonOf(event.error)}`;
    case 'in-doubt':
      return `${event.provider}, attempt ${event.attempt}: may have charged all the same (${event.because})`;
    case 'recovered':
      return `recovered by ${event.provider} → ${event.state}`;
    case 'failed':
      return `every provider failed → ${event.state}`;
    case 'exhausted':
      return `exhausted: ${event.failures} failed triggers in a row, the next are refused at once`;
    case 'updated':
      return `configuration updated → ${event.state}`;
    case 'reset':
      return `reset${event.config ? ', configuration included' : ''} → idle`;
    default:
      return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return ` (${error.message})`;
}
