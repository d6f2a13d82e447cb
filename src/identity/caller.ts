/** Who is calling, as every decision sees it. */
export type Caller = {
  /** How the caller was identified. */
  readonly via: 'key' | 'minted-key' | 'sts' | 'lambda';
  /** The twelve digits of the AWS account. */
  readonly account: string;
  /** `arn:P:iam::A:user/…`, `arn:P:iam::A:role/R`, or `sentinel:key/<id>` for a registered key. */
  readonly principal: string;
  /**
   * The one person or workload that the caller is: the principal, or `<principal>/<session name>`
   * where the role's session names are trusted. Sessions, rate limits and stamps belong to it.
   */
  readonly subject: string;
  /**
   * What `users` in documents matches: one namespace without collisions. A caller cannot choose it.
   */
  readonly name: string;
  /** The name as tables and tags store it: always with its kind, like `key/alice`. */
  readonly storedName: string;
  /** The name of the role's session, if there is one: shown, but never the basis of a decision. */
  readonly sessionName: string | undefined;
  /** The access key that signed the request. */
  readonly accessKeyId: string;
  /** The access key that a minted key came from; undefined for callers with another key. */
  readonly sourceAccessKeyId: string | undefined;
  /** IAM's unique id (AROA…, AIDA…) where AWS gave one. */
  readonly uniqueId: string | undefined;
  /** When the key that signed ends, in epoch milliseconds, where that is known. */
  readonly keyExpiresAt: number | undefined;
};

/** The part of a caller that its identity settles, whichever key it signs with. */
export type CallerIdentity = Omit<
  Caller,
  'via' | 'accessKeyId' | 'sourceAccessKeyId' | 'keyExpiresAt'
>;
