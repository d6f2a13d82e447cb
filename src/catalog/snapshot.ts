import type { CompiledPolicy } from '../policy/compile.ts';
import type { LintFinding } from '../policy/lint.ts';
import type { ApprovalPolicyDocument } from '../policy/documents/approval-policy.ts';
import type { PeopleDocument } from '../policy/documents/people.ts';
import type { Client } from '../policy/documents/client.ts';
import type { OperatorsDocument } from '../policy/documents/operators.ts';
import type { Profile } from '../policy/documents/profile.ts';
import type { SealingKeyDocument } from '../policy/documents/sealing-key.ts';

/** A profile that can be vended: its document and its policy are both there and sound. */
export type CatalogProfile = { readonly name: string; readonly profile: Profile; readonly policy: CompiledPolicy };

/** A document that was refused: where it lies, and why. Reasons never quote a secret. */
export type Rejection = { readonly parameter: string; readonly problems: readonly string[] };

/** What is sound but hardly meant: where it lies, and what. Never of secrets. */
export type Finding = LintFinding & { readonly parameter: string };

/** All documents as they stood at one moment. A request sees one snapshot from its start to its end. */
export type Snapshot = {
  /** When reading began, by the monotonic clock in milliseconds, so that nothing in it is older than it says. */
  readonly readAt: number;
  /** The TVM's own account. */
  readonly account: string;
  /** Principals of the roles that the TVM vends or has vended lately, and of its own. */
  readonly neverCallers: ReadonlySet<string>;
  readonly profiles: ReadonlyMap<string, CatalogProfile>;
  readonly clients: ReadonlyMap<string, Client>;
  /** What minted keys are sealed with, by the id in `keys/<id>`. */
  readonly sealingKeys: ReadonlyMap<string, SealingKeyDocument & { readonly id: string }>;
  /** Who may list, revoke, explain and lift; undefined if there is no such document, or a broken one. */
  readonly operators: OperatorsDocument | undefined;
  /** Who may approve what; undefined if there is no such document, or a broken one: then nobody may. */
  readonly approvalPolicy: ApprovalPolicyDocument | undefined;
  /** Which identities are one person; undefined if there is no such document. A broken one lets nobody approve anything. */
  readonly people: PeopleDocument | 'broken' | undefined;
  readonly rejections: readonly Rejection[];
  /** What is sound but hardly meant, a thousand findings at most. */
  readonly findings: readonly Finding[];
  /** How many parameters there are in both trees, and how many pages of SSM the next listing of them takes. */
  readonly parameters: number;
  readonly pages: number;
};
