import type { Request } from '../definition/request.ts';
import { Answers } from './answers.ts';
import { canon } from './canon.ts';
import type { Home } from './machine.ts';

/** What was answered before: the last good answers, and those that a repeated trigger is given again. */
export class Recall {
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * The key of an answer: whose it is, and what a user's own key, or the input, says. `undefined`: no key, no answer. What
   * was given to one session is not given to another.
   */
  key({ env, product, cache, session }: Request, who: string, value: unknown): string | undefined {
    const text = canon(value);
    return text === undefined
      ? undefined
      : `${JSON.stringify([env, product, cache ?? null, session ? [session.tag, session.token] : null, who])}${text}`;
  }

  lastGood(home: Home): Answers {
    home.lastGood ??= new Answers(this.#max);
    return home.lastGood;
  }

  reused(home: Home): Answers {
    home.reused ??= new Answers(this.#max);
    return home.reused;
  }
}
