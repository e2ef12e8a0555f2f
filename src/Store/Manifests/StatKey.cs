namespace Mirror.Store.Manifests;

/// <summary>What tells that a file was touched, beyond what a manifest keeps: a forged mtime does not hide a change from ctime.</summary>
public readonly record struct StatKey(ulong Device, ulong Inode, long Size, long MtimeNs, long CtimeNs);
