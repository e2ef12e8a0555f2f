using Mirror.Delta;
using Mirror.Leadership.Membership;
using Mirror.Node.Apps;
using Mirror.Node.Channels;
using Mirror.Node.Identity;
using Mirror.Node.Listening;
using Mirror.Node.Processes;
using Mirror.Primary.Capture;
using Mirror.Replica.Warm;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Cli.Output;

/// <summary>
/// The failures that explain themselves: their message says what happened, to what, and what to do next, so a command prints it and a service answers with it. Whatever
/// is not among them is a bug, and shows as one.
/// </summary>
internal static class KnownFailures
{
    public static bool Explains(Exception failure) => failure is
        StoreException or PackFormatException or DeltaFormatException or CaptureException or LoadException
        or AppUnhealthyException or AppTemplateException or AppStartException or GuardException
        or IdentityException or ListenException or ClusterException or NotRunningException
        or UnauthorizedAccessException or IOException or InvalidDataException or TimeoutException;
}
