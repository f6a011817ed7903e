/** What a walk waits for: a promise, or something of ours that tells one listener of its end, which is still to come. */
export type Pending = Promise<unknown> | { onEnd(resume: () => void): void };

/**
 * Runs a generator that yields what it waits for, as `await` would. But what ends within the engine resumes it at once, and
 * needs no promise of its own, which would be half the cost of an attempt.
 */
export function drive<T>(
  steps: Generator<Pending, T, void>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): void {
  const resume = () => {
    try {
      const { done, value } = steps.next();
      if (done) resolve(value);
      else if (value instanceof Promise) value.then(resume, reject);
      else value.onEnd(resume);
    } catch (error) {
      reject(error);
    }
  };
  resume();
}
