import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Entry = {
  readonly version?: string;
  readonly resolved?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
};

const PERMISSIVE = new Set([
  'MIT',
  'Apache-2.0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'Unlicense',
]);

/** Packages that never ship and may have another licence, or one that npm cannot read. */
const DEVELOPMENT_ONLY: readonly (readonly [name: RegExp, license: string])[] = [
  // Vite's CSS minifier. This project has no CSS.
  [/^lightningcss(?:-|$)/u, 'MPL-2.0'],
  // Dependencies of testcontainers under MIT, which is in the old field `licenses` of their
  // package.json.
  [/^(?:ssh2|buildcheck|cpu-features)$/u, 'none'],
];

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/**
 * The problems of the lockfile: a missing optional dependency, the address of a registry, a licence
 * that is not permissive, a version that is not exact. When a registry lacks a platform's package,
 * npm leaves an optional dependency out without a word, and `npm ci` then fails on that platform.
 */
export function lockfileProblems(root: string): readonly string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Entry>;
  };
  const { packages } = lock;
  const problems: string[] = [];
  const names = new Set(Object.keys(packages).map(nameOf));
  for (const [path, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!names.has(name))
        problems.push(`${path}: the optional dependency ${name} is not in the lockfile`);
    }
    if (entry.resolved !== undefined) problems.push(`${path}: the lockfile names a registry`);
    if (path === '') continue;
    const license = entry.license ?? 'none';
    const name = nameOf(path);
    const excused =
      entry.dev === true &&
      DEVELOPMENT_ONLY.some(([of, what]) => of.test(name) && what === license);
    if (!PERMISSIVE.has(license) && !excused) problems.push(`${path}: its licence is ${license}`);
  }
  const own = packages[''] ?? {};
  for (const [name, version] of Object.entries({ ...own.dependencies, ...own.devDependencies })) {
    if (!/^\d+\.\d+\.\d+$/u.test(version))
      problems.push(`package.json: ${name} is not an exact version`);
  }
  return problems;
}
