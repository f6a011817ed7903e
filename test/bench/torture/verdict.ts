/** What a cell came to. */
export type Verdict =
  | { readonly kind: 'safe' }
  /** `seen`: what was observed, short. */
  | { readonly kind: 'unsafe'; readonly seen: string }
  /** `why`: which feature the library does not have. */
  | { readonly kind: 'not offered'; readonly why: string };

export const safe = (): Verdict => ({ kind: 'safe' });
export const unsafe = (seen: string): Verdict => ({ kind: 'unsafe', seen });
export const notOffered = (why: string): Verdict => ({ kind: 'not offered', why });

/** Safe, unless there is something to complain of: each complaint is what was seen, or `false` where it does not hold. */
export function judge(...complaints: readonly (string | false)[]): Verdict {
  const seen = complaints.filter((complaint) => complaint !== false);
  return seen.length > 0 ? unsafe(seen.join('; ')) : safe();
}

/** Thrown by an idiom that is asked for what its library does not have. */
export class NotOffered extends Error {
  override readonly name = 'NotOffered';
}

export function missing(why: string): never {
  throw new NotOffered(why);
}
