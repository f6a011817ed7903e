import type { FallbackEvent } from '../../../dist/index.js';
import type { Call } from './call.ts';
import { primaryDue } from './primaries.ts';
import type { Stage } from './stage.ts';

type Doubt = FallbackEvent<'in-doubt'>;

/** An attempt, or the primary, may have done its work. */
export function doubted(stage: Stage, call: Call, event: Doubt): void {
  stage.figures.add('and', 'doubts');
  if (event.provider === 'primary') ofPrimary(stage, call, event);
  else ofAttempt(stage, call, event);
}

function ofAttempt({ watch }: Stage, call: Call, { provider, attempt, because }: Doubt): void {
  const last = call.attempts.at(-1);
  const isLast = last?.provider === provider && last.attempt === attempt && !last.isDoubtHeard;
  if (!last || !watch.holds('doubts', isLast && last.doubt === because)) {
    throw watch.broken('doubts', `${provider} #${attempt} is said to be in doubt: ${because}`, call);
  }
  last.isDoubtHeard = true;
}

function ofPrimary({ watch, now }: Stage, call: Call, { because, attempt }: Doubt): void {
  const isTimeout = because === 'timed-out' && now === primaryDue(call);
  const isAbort = because === 'aborted' && (call.abortedAt === now || call.host.endsAt === now);
  const isUnder = call.primary !== undefined && !call.isAdmitted && !call.isPrimaryInDoubt && attempt === 1;
  if (!watch.holds('doubts', isUnder && (isTimeout || isAbort))) {
    throw watch.broken('doubts', `its primary is said to be in doubt: ${because}`, call);
  }
  call.isPrimaryInDoubt = true;
}

/** Before anything else is told of a call, and at its end. */
export function doubtsTold({ watch }: Stage, call: Call): void {
  const last = call.attempts.at(-1);
  if (!watch.holds('doubts', last?.doubt === undefined || last.isDoubtHeard)) {
    throw watch.broken('doubts', `nobody was told that ${last?.provider} is in doubt: ${last?.doubt}`, call);
  }
}
