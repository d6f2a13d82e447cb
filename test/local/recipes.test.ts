import { describe, expect, it } from 'vitest';
import { recipes } from '../../src/local/recipes.ts';

const PORTS = { tvm: 8_080, aws: 4_566 };

function commands(platform: string): readonly string[] {
  return recipes(PORTS, platform)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .slice(1);
}

describe('recipes', () => {
  it.each(['linux', 'win32'])('tell the story of an approval in its order: %s', (platform) => {
    const all = commands(platform);
    const begun = all.findIndex((line) => line.includes('break-glass prod'));
    const story = all
      .slice(0, begun)
      .filter((line) => line.includes('prod') || /requests|approve/u.test(line));
    const steps = [
      'request prod',
      'profile=prod',
      'requests --view review',
      'approve ',
      'profile=prod',
      '--profile prod',
    ];
    expect(story).toHaveLength(steps.length);
    for (const [index, step] of steps.entries()) expect(story[index]).toContain(step);
  });

  it.each(['linux', 'win32'])('tell the story of break-glass in its order: %s', (platform) => {
    const all = commands(platform);
    const story = all.slice(all.findIndex((line) => line.includes('break-glass prod')));
    const steps = [
      'break-glass prod --reason-code incident',
      'profile=prod',
      'break-glass close ',
      'break-glass review ',
    ];
    expect(story).toHaveLength(steps.length);
    for (const [index, step] of steps.entries()) expect(story[index]).toContain(step);
    expect(story[3]).toContain('TVMDEMOOLIVIA');
  });

  it('need nothing of a POSIX shell on Windows', () => {
    for (const line of commands('win32')) expect(line).not.toMatch(/['$]|^[A-Z_]+=/u);
  });

  it('let bob approve, and never alice', () => {
    const approval = commands('linux').find((line) => line.includes(' approve '));
    expect(approval).toContain('TVMDEMOBOB');
    expect(approval).not.toContain('ALICE');
  });
});
