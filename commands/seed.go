package commands

import (
	"bytes"
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"image/jpeg"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/controllers"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/clip"
	"tokentube/utils/picture"
)

// sampleChannel is a channel of the sample content.
type sampleChannel struct {
	username, name, bio string
	banner              uint64
	posts               []samplePost
}

// samplePost is a post of it. The seed chooses the picture or the clip.
type samplePost struct {
	kind        models.Kind
	title, text string // of a text post only text
	alt, tags   string
	seed        uint64
	age         time.Duration
}

const day = 24 * time.Hour

var seedCommand = command{
	name:  "seed",
	brief: "add three channels with sample content",
	help: `The pictures and clips are drawn by code. It prints how to log in as one of the
channels, and refuses where they are there already.

With the embedded database the site must be stopped; with MONGODB_URI it may run.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		_, err := positional(flags, args)
		return func(ctx context.Context, s Site) error {
			return s.with(ctx, func(app *controllers.App) error { return Seed(ctx, app, s.Out) })
		}, err
	},
}

var samples = []sampleChannel{
	{
		username: "northern-sky", name: "Northern Sky", banner: 15,
		bio: "Hills, weather and the hours when the light is good.",
		posts: []samplePost{
			{models.Video, "A balloon over the hills", "No wind to speak of. It took the whole morning.", "", "sky,balloon", 4, 3 * time.Hour},
			{models.Photo, "First light", "Worth getting up for.", "Violet hills behind one another, a low sun above them", "sky,morning", 21, 26 * time.Hour},
			{models.Photo, "Two in the morning", "The camera saw more of it than we did.", "Green northern lights over dark mountains", "sky,night", 29, 4 * day},
			{models.Text, "", "Tonight the sky should be clear from ten o'clock. Look north, and give your eyes a quarter of an hour.", "", "sky", 0, 7 * time.Hour},
		},
	},
	{
		username: "small_machines", name: "Small Machines", banner: 13,
		bio: "Things that move, taken apart and put together again.",
		posts: []samplePost{
			{models.Video, "Three planets, one sun", "Each keeps its own time.", "", "orbits", 2, 40 * time.Minute},
			{models.Video, "A ball, a floor, no friction", "How long does it bounce? As long as you watch.", "", "physics", 1, 20 * time.Hour},
			{models.Video, "One turn of the hand", "The simplest clock there is.", "", "clocks", 3, 2 * day},
			{models.Photo, "Study in blue", "From the notebook.", "Blue and violet waves drawn over one another", "drawing", 27, 9 * time.Hour},
			{models.Text, "", "A tip for anyone who repairs old clocks: photograph every step of taking it apart. The parts will not remember where they belong.", "", "clocks,repair", 0, 30 * time.Hour},
		},
	},
	{
		username: "harbour.notes", name: "Harbour Notes", banner: 23,
		bio: "Short notes and pictures from the water's edge.",
		posts: []samplePost{
			{models.Photo, "Last boat home", "The tide was half a metre above the table.", "A sailing boat before a red sunset", "sea,evening", 16, 90 * time.Minute},
			{models.Photo, "Lights across the bay", "", "A skyline at night, mirrored in the water", "night,city", 17, 3 * day},
			{models.Video, "Passing by", "Nothing happens, slowly.", "", "sky", 8, 12 * time.Hour},
			{models.Text, "", "The ferry now leaves at ten past instead of on the hour. You have ten more minutes for your coffee.", "", "ferry", 0, 5 * time.Hour},
			{models.Text, "", "Counted eleven herons on the old wall this morning. Yesterday there were three.", "", "birds", 0, 2 * day},
		},
	},
}

// Seed adds three channels with a few posts of each kind, drawn by code, so that
// a living site can be seen at once. It says how to log in as one of them.
func Seed(ctx context.Context, app *controllers.App, out io.Writer) error {
	password := rand.Text()
	hash, err := app.Hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	var users, posts []bson.ObjectID
	for _, channel := range samples {
		user, err := seedChannel(ctx, app, channel, hash)
		if apperr.Is(err, apperr.Conflict) {
			return fmt.Errorf("the sample content is there already: the channel %s exists", channel.username)
		} else if err != nil {
			return err
		}
		users = append(users, user.ID)
		for _, sample := range channel.posts {
			post, err := seedPost(ctx, app, user, sample)
			if err != nil {
				return err
			}
			posts = append(posts, post)
		}
	}
	if err := seedReactions(ctx, app, users, posts); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Added %d channels with %d posts. Log in as %s with the password %s\n",
		len(users), len(posts), samples[0].username, password)
	return err
}

func seedChannel(ctx context.Context, app *controllers.App, channel sampleChannel, hash string) (*models.User, error) {
	user := &models.User{
		Username: channel.username, Email: channel.username + "@example.com", FullName: channel.name,
		Bio: channel.bio, PasswordHash: hash,
	}
	if err := app.Users.Check(ctx, user); err != nil {
		return nil, err
	}
	var err error
	if user.Avatar, err = app.Media.SaveDrawing(ctx, picture.Initials(channel.name)); err != nil {
		return nil, err
	}
	if user.CoverImage, err = app.Media.SaveDrawing(ctx, picture.Scene(channel.banner, 1600, 400)); err != nil {
		return nil, err
	}
	return user, app.Users.Create(ctx, user)
}

func seedPost(ctx context.Context, app *controllers.App, owner *models.User, sample samplePost) (bson.ObjectID, error) {
	published := app.Now().Add(-sample.age).UTC()
	post := &models.Post{
		Owner: owner.ID, Kind: sample.kind, Title: sample.title, Description: sample.text, Alt: sample.alt,
		Tags: models.ParseTags(sample.tags), Visibility: models.Public, PublishedAt: &published,
	}
	var err error
	switch sample.kind {
	case models.Video:
		err = seedVideo(ctx, app, post, sample.seed)
	case models.Photo:
		err = seedPhoto(ctx, app, post, sample.seed)
	}
	if err != nil {
		return post.ID, err
	}
	err = app.Posts.Create(ctx, post)
	return post.ID, err
}

func seedVideo(ctx context.Context, app *controllers.App, post *models.Post, seed uint64) error {
	content, poster, err := clip.Sample(seed)
	if err != nil {
		return err
	}
	video, err := app.Media.SaveVideo(ctx, bytes.NewReader(content))
	if err != nil {
		return err
	}
	post.Media, post.Duration, post.Size = video.Name, video.Duration, video.Size
	post.Width, post.Height = video.Width, video.Height
	post.Thumbnail, err = app.Media.SaveDrawing(ctx, poster)
	return err
}

func seedPhoto(ctx context.Context, app *controllers.App, post *models.Post, seed uint64) error {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, picture.Scene(seed, 1280, 853), &jpeg.Options{Quality: 92}); err != nil {
		return err
	}
	photo, err := app.Media.SavePhoto(ctx, &file)
	post.Media, post.Thumbnail, post.Size = photo.Name, photo.Thumbnail, photo.Size
	post.Width, post.Height = photo.Width, photo.Height
	return err
}

// seedReactions lets the channels look at and like one another's posts.
func seedReactions(ctx context.Context, app *controllers.App, users, posts []bson.ObjectID) error {
	for i, post := range posts {
		for viewer := range 3 + i*7%23 {
			if _, err := app.Views.Add(ctx, post, fmt.Sprint("sample viewer ", viewer)); err != nil {
				return err
			}
		}
		for j, user := range users {
			if (i+j)%3 == 0 {
				continue
			}
			if err := app.Likes.Add(ctx, user, post); err != nil {
				return err
			}
		}
	}
	return nil
}
