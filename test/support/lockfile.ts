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

/** What else is admitted, of packages that never ship: licences that are not permissive, and such as npm cannot read. */
const DEVELOPMENT_ONLY: readonly (readonly [name: RegExp, license: string])[] = [
  // Vite's CSS minifier, which this project has no CSS for.
  [/^lightningcss(?:-|$)/u, 'MPL-2.0'],
  // Of testcontainers; MIT, in the old form `licenses` of package.json.
  [/^(?:ssh2|buildcheck|cpu-features)$/u, 'none'],
];

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/**
 * What is wrong with the lockfile. A registry that lags behind on platform bindings makes npm drop optional packages
 * without a word, and then `npm ci` refuses on other platforms; so each that is named must be there. Versions are exact,
 * no registry's address is in it, licences are permissive.
 */
export function lockfileProblems(root: string): readonly string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, Entry> };
  const { packages } = lock;
  const problems: string[] = [];
  const names = new Set(Object.keys(packages).map(nameOf));
  for (const [path, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!names.has(name)) problems.push(`${path}: the optional dependency ${name} is not in the lockfile`);
    }
    if (entry.resolved !== undefined) problems.push(`${path}: the lockfile names a registry`);
    if (path === '') continue;
    const license = entry.license ?? 'none';
    const name = nameOf(path);
    const excused = entry.dev === true && DEVELOPMENT_ONLY.some(([of, what]) => of.test(name) && what === license);
    if (!PERMISSIVE.has(license) && !excused) problems.push(`${path}: its licence is ${license}`);
  }
  const own = packages[''] ?? {};
  for (const [name, version] of Object.entries({ ...own.dependencies, ...own.devDependencies })) {
    if (!/^\d+\.\d+\.\d+$/u.test(version)) problems.push(`package.json: ${name} is not an exact version`);
  }
  return problems;
}
