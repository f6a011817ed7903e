import { describe, expect, it, vi } from 'vitest';
import { Attempt, type Outcome, succeeded } from '../../../src/engine/attempt.ts';
import { Flight } from '../../../src/engine/flight.ts';
import { Flights } from '../../../src/engine/flights.ts';
import { race } from '../../../src/engine/race.ts';
import { settled, virtualClock } from '../../virtual-clock.ts';

/** An attempt whose work is done when the test says so. */
class Racer extends Attempt {
  finish: (output: unknown) => void = () => {};
  protected override get who(): string {
    return 'racer';
  }
  protected override work(): unknown {
    return new Promise((resolve) => {
      this.finish = resolve;
    });
  }
  protected override judge(output: unknown): Outcome {
    return succeeded(output);
  }
}

function racers() {
  const clock = virtualClock();
  const flights = new Flights(clock, 'n');
  const make = () => {
    const racer = new Racer(new Flight(flights, undefined));
    racer.begin(null, clock.now());
    return racer;
  };
  return { clock, one: make(), other: make(), resume: vi.fn() };
}

describe('a race', () => {
  it('is over with the first of its attempts, whichever that is, and once only', async () => {
    for (const first of ['one', 'other'] as const) {
      const { clock, one, other, resume } = racers();
      race([one, other], clock).onEnd(resume);
      await settled();
      expect(resume).not.toHaveBeenCalled();
      (first === 'one' ? one : other).finish(1);
      await settled();
      expect(resume).toHaveBeenCalledTimes(1);
      (first === 'one' ? other : one).finish(2);
      await settled();
      expect(resume).toHaveBeenCalledTimes(1);
      expect(clock.pending).toBe(0);
    }
  });

  it('is over after its time, and no attempt resumes it then', async () => {
    const { clock, one, other, resume } = racers();
    race([one, other], clock, 50).onEnd(resume);
    await clock.advance(49);
    expect(resume).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(resume).toHaveBeenCalledTimes(1);
    one.finish(1);
    other.finish(2);
    await settled();
    expect(resume).toHaveBeenCalledTimes(1);
  });

  it('leaves no timer behind, and none fires, where an attempt ends before its time', async () => {
    const { clock, one, other, resume } = racers();
    race([one, other], clock, 50).onEnd(resume);
    expect(clock.pending).toBe(1);
    other.finish(1);
    await settled();
    expect(clock.pending).toBe(0);
    await clock.advance(100);
    expect(resume).toHaveBeenCalledTimes(1);
  });

  it('without a time sets no timer', () => {
    const { clock, one, resume } = racers();
    race([one], clock).onEnd(resume);
    expect(clock.pending).toBe(0);
  });

  it('of one attempt, with nobody beside it, is that attempt', async () => {
    const { clock, one, resume } = racers();
    race([one, undefined], clock, 50).onEnd(resume);
    one.finish(1);
    await settled();
    expect(resume).toHaveBeenCalledTimes(1);
    expect(clock.pending).toBe(0);
  });

  it('may be followed by another, in which those still under way go on', async () => {
    const { clock, one, other, resume } = racers();
    race([one, other], clock, 50).onEnd(() => race([one, other], clock, 50).onEnd(resume));
    await clock.advance(50);
    other.finish(1);
    await settled();
    expect(resume).toHaveBeenCalledTimes(1);
    expect([one.outcome, other.outcome]).toEqual([undefined, { kind: 'succeeded', output: 1 }]);
    expect(clock.pending).toBe(0);
  });

  it('is over, too, when an attempt is given up on', () => {
    const { clock, one, other, resume } = racers();
    race([one, other], clock, 50).onEnd(resume);
    one.lose();
    expect(resume).toHaveBeenCalledTimes(1);
    expect(clock.pending).toBe(0);
  });
});
