import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/index.ts';

describe('systemClock', () => {
  it('tells milliseconds since the epoch', () => {
    const told = systemClock.now();
    const origin = performance.timeOrigin;
    expect(told).toBeGreaterThanOrEqual(origin);
    expect(told).toBeLessThanOrEqual(origin + performance.now());
  });

  it('does not follow the wall clock back', () => {
    const before = systemClock.now();
    const wall = vi.spyOn(Date, 'now').mockReturnValue(0);
    expect(systemClock.now()).toBeGreaterThanOrEqual(before);
    wall.mockRestore();
  });

  it('calls back once the time has come, and never what was cleared', () => {
    vi.useFakeTimers();
    try {
      const kept = vi.fn();
      const cleared = vi.fn();
      systemClock.setTimeout(kept, 10);
      systemClock.clearTimeout(systemClock.setTimeout(cleared, 10));
      vi.advanceTimersByTime(9);
      expect(kept).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(kept).toHaveBeenCalledTimes(1);
      expect(cleared).not.toHaveBeenCalled();
    } finally {
      vi.useRealTimers();
    }
  });
});
