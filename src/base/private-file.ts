// Whether a file that holds a secret is ours alone.

export interface FileMode {
  readonly uid: number;
  readonly mode: number;
}

/**
 * True where somebody else may touch the file. Kubernetes mounts a secret for an unprivileged process as root's file,
 * readable by the pod's group (fsGroup): that is not somebody else. `ownUid` is who asks, undefined where there are no users (Windows).
 */
export const openToOthers = ({ uid, mode }: FileMode, ownUid: number | undefined): boolean => {
  if (ownUid === undefined) return false;
  const mounted = uid === 0 && ownUid !== 0;
  return (mode & (mounted ? 0o037 : 0o077)) !== 0;
};
