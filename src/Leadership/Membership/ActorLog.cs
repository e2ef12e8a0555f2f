using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Dispatch;
using Akka.Event;
using Microsoft.Extensions.Logging;
using LogLevel = Microsoft.Extensions.Logging.LogLevel;

namespace Mirror.Leadership.Membership;

/// <summary>
/// Brings the actor system's log into ours. One step lower than it would have it: that a peer is out of reach is nothing to warn about every half second;
/// what matters to an operator, members coming and going, is logged by the catalogue.
/// </summary>
internal sealed partial class ActorLog : ReceiveActor, IRequiresMessageQueue<ILoggerMessageQueueSemantics>
{
    public ActorLog()
    {
        var setup = Context.System.Settings.Setup.Get<ActorLogSetup>();
        var log = setup.HasValue ? setup.Value.Logs.CreateLogger("Akka") : null;
        Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
        Receive<LogEvent>(happened =>
        {
            if (log is not null)
            {
                Write(log, LevelOf(happened), happened.LogSource, happened.Message?.ToString() ?? "", happened.Cause);
            }
        });
    }

    private static LogLevel LevelOf(LogEvent happened) => happened switch
    {
        Error => LogLevel.Warning,
        Warning => LogLevel.Debug,
        Info => LogLevel.Debug,
        _ => LogLevel.Trace,
    };

    [LoggerMessage(EventId = 2100, EventName = "Akka", Message = "{Source}: {Text}")]
    private static partial void Write(ILogger logger, LogLevel level, string source, string text, Exception? failure);
}

/// <summary>What the actor system has to say when its loggers are gone: nothing that belongs on anybody's terminal.</summary>
internal sealed class NoStandardOutput : MinimalLogger
{
    protected override void Log(object message)
    {
    }
}

internal sealed class ActorLogSetup(ILoggerFactory logs) : Setup
{
    public ILoggerFactory Logs => logs;
}
