import leven from 'leven';

/** The known name most like `name`, if any is near enough to have been meant. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  // Nobody meant a known name by a kilobyte of text, and comparing it would cost a hostile caller nothing.
  if (name.length > 128) return undefined;
  const most = Math.max(2, Math.floor(name.length * 0.4));
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of known) {
    const distance = leven(name.toLowerCase(), candidate.toLowerCase(), { maxDistance: least });
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}
