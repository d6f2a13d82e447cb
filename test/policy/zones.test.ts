import { describe, expect, it } from 'vitest';
import { isZone } from '../../src/policy/time-window.ts';
import { checkZone } from '../../src/policy/zones.ts';

describe('checkZone', () => {
  it('accepts every Area/Location of the IANA database, and UTC', () => {
    const zones = Intl.supportedValuesOf('timeZone').filter(
      (zone) => zone.includes('/') && !zone.startsWith('Etc/'),
    );
    expect(zones.length).toBeGreaterThan(300);
    for (const zone of [...zones, 'UTC', 'Etc/UTC', 'US/Pacific'])
      expect(checkZone(zone)).toEqual({ ok: true, value: zone });
  });

  it('accepts no name of three letters but UTC', () => {
    const letters = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ');
    const zones = letters.flatMap((a) =>
      letters.flatMap((b) => letters.map((c) => `${a}${b}${c}`)),
    );
    expect(zones.filter(isZone)).toEqual(['UTC']);
  });

  it.each([
    ['BST', 'Europe/London'],
    ['IST', 'Asia/Kolkata'],
    ['AST', 'America/Halifax'],
    ['SST', 'Pacific/Pago_Pago'],
    ['ECT', 'America/Guayaquil'],
    ['CST', 'America/Chicago'],
    ['PST', 'America/Los_Angeles'],
    ['JST', 'Asia/Tokyo'],
    ['EST', 'America/New_York'],
    ['est5edt', 'America/New_York'],
    ['CET', 'Europe/Berlin'],
    ['GMT', 'UTC or Europe/London'],
    ['Etc/GMT', 'UTC'],
    ['Zulu', 'UTC'],
    ['Z', 'UTC'],
    ['Etc/GMT+5', 'the zone of the place whose clock you mean'],
    ['Etc/GMT-14', 'the zone of the place whose clock you mean'],
    ['GMT+5', 'the zone of the place whose clock you mean'],
    ['+05:00', 'the zone of the place whose clock you mean'],
    ['-0500', 'the zone of the place whose clock you mean'],
    ['Japan', 'Asia/Tokyo'],
    ['PRC', 'Asia/Shanghai'],
    ['Berlin', 'Europe/Berlin'],
    ['Europe/Berln', 'Europe/Berlin'],
    ['America/New York', 'America/New_York'],
  ])('refuses %s and suggests %s', (zone, likely) => {
    expect(checkZone(zone)).toEqual({
      ok: false,
      refusal: expect.stringMatching(new RegExp(`; write ${likely}$`, 'u')),
    });
  });

  it.each([
    '',
    'Local',
    'Factory',
    'Etc/Unknown',
    'SystemV/EST5',
    'Nowhere',
    'toString',
    '__proto__',
    'Mars/Olympus',
  ])('refuses %j without a suggestion', (zone) => {
    expect(checkZone(zone)).toEqual({ ok: false, refusal: expect.stringMatching(/nor UTC$/u) });
  });
});
