namespace Mirror.Store.Versions;

// Protecting: what somebody said must stay, no policy drops.
public sealed partial class VersionStore
{
    /// <summary>From now on nothing drops this version; protecting it again changes the reason.</summary>
    /// <exception cref="StoreException">Unknown version, or a reason that is no line of text.</exception>
    public Task ProtectAsync(VersionId version, string reason, CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            _ = state.Find(version) ?? throw Unknown(version);
            var more = protections.With(version, reason);
            Touching();
            more.Write(disk, Directory);
            protections = more;
            return Task.CompletedTask;
        },
        cancellation);

    /// <exception cref="StoreException">The version is unknown, or not protected.</exception>
    public Task UnprotectAsync(VersionId version, CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            _ = state.Find(version) ?? throw Unknown(version);
            var fewer = protections.Without(version);
            if (protections.ReasonFor(version) is null)
            {
                throw new StoreException($"Version {version} is not protected; `mirror versions` shows which are.");
            }

            Touching();
            fewer.Write(disk, Directory);
            protections = fewer;
            return Task.CompletedTask;
        },
        cancellation);
}
